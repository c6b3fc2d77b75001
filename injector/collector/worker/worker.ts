/** The collector's thread: messages in, messages out, a turn every second. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../../common/errno.ts';
import { unreachable } from '../../../common/errors.ts';
import { flowsLineSum } from '../../../policy/index.ts';
import type { FlowSettings, FromWorker, ToWorker } from '../messages.ts';
import { Collection } from './collection.ts';

/** One transaction, and what followers get, ms. */
const TURN_MS = 1_000;

function run(settings: FlowSettings): void {
  const port = parentPort;
  if (port === null) throw new Error('the collector runs as a worker thread');
  const post = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void =>
    port.postMessage(message, [...transfer]);
  const collection = new Collection(
    settings,
    {
      badLine: (pod, message) => post({ type: 'bad-line', pod, message }),
      storeChanged: (problem) => post({ type: 'store', ...(problem === undefined ? {} : { problem }) }),
    },
    Date.now(),
  );
  const turn = (): void => post({ type: 'stats', stats: collection.turn(Date.now()) });
  const timer = setInterval(turn, TURN_MS);

  const receive = (message: ToWorker): void => {
    const nowMs = Date.now();
    switch (message.type) {
      case 'pods':
        return collection.putPods(message.changes, message.order, message.isFirst ? 0 : nowMs);
      case 'nodes':
        return collection.putNodes(message.changes);
      case 'services':
        return collection.putServices(message.changes);
      case 'slices':
        return collection.putSlices(message.changes);
      case 'begin':
        return collection.beginChanges(message.revision);
      case 'changes':
        return collection.noteChanges(message.committed);
      case 'line': {
        const { namespace, pod, line } = message;
        collection.take(namespace, pod, line, flowsLineSum(line), nowMs);
        return post({ type: 'took', bytes: line.length });
      }
      case 'lost':
        for (const [where, flows] of message.lost) collection.lose(where, flows, nowMs);
        return;
      case 'ask': {
        const { id, question } = message;
        collection.ask(question, nowMs).then(
          (answer) => {
            const json = new TextEncoder().encode(JSON.stringify(answer));
            post({ type: 'answer', id, json }, [json.buffer]);
          },
          (error: unknown) => post({ type: 'failed', id, message: messageOf(error) }),
        );
        return;
      }
      case 'follow': {
        const { id, question } = message;
        return collection.follow(id, question, (edges, missed) => post({ type: 'edges', id, edges, missed }));
      }
      case 'unfollow':
        return collection.unfollow(message.id);
      case 'close':
        clearInterval(timer);
        turn();
        collection.close(nowMs);
        post({ type: 'closed' });
        return port.close();
      default:
        return unreachable(message);
    }
  };
  port.on('message', receive);
}

run(workerData as FlowSettings); // given by the main thread of this process
