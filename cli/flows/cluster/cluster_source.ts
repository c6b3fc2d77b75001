/** Flows that the injectors of a cluster have collected, asked through the API server with the rights of the kubeconfig's user. */
import type { IncomingMessage } from 'node:http';
import type { KubeConfig } from '@kubernetes/client-node';
import { firstLineOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { LineReader } from '../../../common/line_reader.ts';
import {
  FLOWS_TOKEN_HEADER,
  type FlowQuestion,
  OBSERVE_PATH,
  type ObservedAnswer,
  type ObservedFlow,
  OPERATOR_PORT_NAME,
  observedAnswer,
  observedFlow,
} from '../../../flows/index.ts';
import { ApiClient, ApiFailure } from '../../../injector/api/index.ts';
import { INJECTOR_SERVICE } from '../../../injector/certificates/index.ts';
import { AskingToken } from './asking_token.ts';

/** Longest answer, bytes: `MAX_EDGES` of 4 kB, and some more. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Longest line of a stream, bytes. */
const MAX_LINE_BYTES = 256 * 1024;

/** Between the end of a stream and the begin of the next, ms. */
const AGAIN_MS = 250;

/** An answer that says nothing for so long is given up, and a stream begun again, ms: the injector sends an empty line every 15 s. */
const SILENT_MS = 45_000;

/** HTTP statuses. */
const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const NOT_FOUND = 404;
const NOT_IMPLEMENTED = 501;
const UNAVAILABLE = 503;

/** Which cluster, and who asks. */
export interface ClusterFlows {
  readonly config: KubeConfig;
  /** Of the kubeconfig, for messages. */
  readonly context: string;
  /** Where the injector is. */
  readonly namespace: string;
}

/** Asks about flows; as `FlowSource` has it. */
export interface ClusterFlowSource {
  ask(question: FlowQuestion): Promise<ObservedAnswer>;
  follow(question: FlowQuestion, signal: AbortSignal): AsyncIterable<ObservedFlow>;
  close(): void;
}

/**
 * Asks the injector's port for users. What it does throws SluiceError `RIGHT_MISSING` where the user may not see the flows or may not ask,
 * and `FLOWS_UNREADABLE` where the injector does not answer or collects none.
 * @param signal ends all that is under way
 */
export function createClusterSource(flows: ClusterFlows, signal: AbortSignal): ClusterFlowSource {
  const client = new ApiClient(flows.config);
  const token = new AskingToken(client, flows.namespace);
  const service = `https:${INJECTOR_SERVICE}:${OPERATOR_PORT_NAME}`;
  const path = `/api/v1/namespaces/${flows.namespace}/services/${service}/proxy${OBSERVE_PATH}`;
  const postOnce = async (
    body: FlowQuestion,
    query: object,
    until: AbortSignal,
  ): Promise<IncomingMessage> => {
    const headers = { [FLOWS_TOKEN_HEADER]: await token.get(signal) };
    return client.post(path, { body, headers }, { ...query }, until);
  };
  const post = async (body: FlowQuestion, query: object, until: AbortSignal): Promise<IncomingMessage> => {
    try {
      return await postOnce(body, query, until).catch((error: unknown) => {
        if (!(error instanceof ApiFailure) || error.code !== UNAUTHORIZED) throw error;
        token.forget(); // an injector that was started again, say
        return postOnce(body, query, until);
      });
    } catch (cause) {
      until.throwIfAborted();
      throw explained(cause, flows);
    }
  };
  return {
    async ask(question) {
      const response = await post(question, {}, signal);
      const chunks: Buffer[] = [];
      let size = 0;
      const silent = setTimeout(
        () => response.destroy(new Error(`the answer stopped for ${SILENT_MS / 1000} s`)),
        SILENT_MS,
      );
      try {
        for await (const chunk of response) {
          silent.refresh();
          size += (chunk as Buffer).length;
          if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
          chunks.push(chunk as Buffer);
        }
      } catch (cause) {
        signal.throwIfAborted();
        throw unreadable(flows, firstLineOf(cause), cause);
      } finally {
        clearTimeout(silent);
      }
      const text = Buffer.concat(chunks).toString();
      return observedAnswer.readJson(text, 'the answer', (problem, cause) =>
        unreadable(flows, problem, cause),
      );
    },
    follow: async function* (question, until) {
      const both = AbortSignal.any([signal, until]);
      // A stream ends with its token, and with the injector: it is begun again, until there is a reason why it cannot.
      while (!both.aborted) {
        try {
          yield* linesOf(await post(question, { follow: 1 }, both), flows);
        } catch (error) {
          if (both.aborted) break;
          throw error;
        }
        await pause(both);
      }
      signal.throwIfAborted();
    },
    close: () => client.close(),
  };
}

/** The flows of one stream. It may break off: the injector is another one then. */
async function* linesOf(response: IncomingMessage, flows: ClusterFlows): AsyncGenerator<ObservedFlow, void> {
  const lines: string[] = [];
  const reader = new LineReader(MAX_LINE_BYTES, { line: (text) => void lines.push(text) });
  const silent = setTimeout(() => response.destroy(), SILENT_MS);
  const refuse = (problem: string, cause?: unknown) => unreadable(flows, problem, cause);
  try {
    for await (const chunk of brokenOff(response)) {
      silent.refresh();
      if (!reader.push(chunk)) throw unreadable(flows, `a line is longer than ${MAX_LINE_BYTES} bytes`);
      for (const line of lines.splice(0))
        if (line !== '') yield observedFlow.readJson(line, 'the flow', refuse);
    }
  } finally {
    clearTimeout(silent);
    response.destroy();
  }
}

/** The chunks of an answer; where it breaks off, those until then. */
async function* brokenOff(response: IncomingMessage): AsyncGenerator<Buffer, void> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch {
    // It is begun again, and what prevents that is said then.
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, AGAIN_MS);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/** What a failure means, and what to do. */
function explained(cause: unknown, flows: ClusterFlows): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const { context, namespace } = flows;
  if (!(cause instanceof ApiFailure)) return unreadable(flows, firstLineOf(cause), cause);
  const { code, message } = cause;
  switch (code) {
    case FORBIDDEN:
      return new SluiceError(
        'RIGHT_MISSING',
        [
          `the user of context ${context} may not ask for these flows: ${message}`,
          'grant:  kubectl create rolebinding sluice-flows -n NAMESPACE --clusterrole=sluice-flows-viewer --user=NAME',
          `        (who may ask at all: rolebinding sluice-flows-askers in ${namespace})`,
        ].join('\n  '),
        { cause },
      );
    case NOT_FOUND:
      return unreadable(
        flows,
        `${message}: is Sluice installed in the namespace ${namespace}, in a version that serves flows? --injector-namespace names another, --direct asks the sidecars themselves`,
        cause,
      );
    case NOT_IMPLEMENTED:
      return unreadable(flows, `${message}: --direct asks the sidecars themselves`, cause);
    case UNAVAILABLE:
      return unreadable(flows, `${message}: does the injector run? kubectl get pods -n ${namespace}`, cause);
    default:
      return unreadable(flows, message, cause);
  }
}

function unreadable({ context }: ClusterFlows, problem: string, cause?: unknown): SluiceError {
  return new SluiceError('FLOWS_UNREADABLE', `the injector of context ${context}: ${problem}`, { cause });
}
