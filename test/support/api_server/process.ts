/**
 * The double as a process of its own, such as one in a network namespace. Its parent orders over the IPC channel; it
 * says where it is with its first message, and ends with the channel.
 */

import { unreachable } from '../../../common/errors.ts';
import type { Answer, Order } from './api_process.ts';
import { ApiServer } from './api_server.ts';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);
const server = await ApiServer.start({ host, port: Number(port) });

process.on('message', (message) => {
  const { id, order } = message as { id: number; order: Order };
  obey(order).then(
    (value) => say({ id, value }),
    (error: unknown) => say({ id, error: String((error as Error).stack) }),
  );
});
process.on('disconnect', () => process.exit());
say({ id: 0, value: { url: server.url, kubeconfig: server.kubeconfig() } });

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'apply':
      for (const object of order.objects) await server.apply(object);
      return undefined;
    case 'delete':
      for (const object of order.objects) await server.delete(object);
      return undefined;
    case 'create':
      return server.create(order.object);
    case 'find':
      return server.find(order.object);
    case 'patch':
      return server.patch(order.object, order.patch, order.subresource);
    case 'token':
      return server.podToken(order.namespace, order.pod, order.audience);
    case 'fault':
      return server.faults.add(order.fault);
    case 'cut-watches':
      return server.cutWatches(order);
    case 'compact':
      return server.compact(order);
    case 'go-away':
      return server.goAway();
    case 'come-back':
      return server.comeBack();
    case 'requests':
      return server.requests;
    default:
      return unreachable(order);
  }
}

function say(answer: Answer): void {
  process.send?.(answer);
}
