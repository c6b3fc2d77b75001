/** A page of a pod's admin port, by the API server's port-forward: for the sidecar it comes from inside the pod. */
import { PassThrough, Writable } from 'node:stream';
import { type KubeConfig, PortForward } from '@kubernetes/client-node';
import { messageOf } from '../../../common/errno.ts';
import { fieldsOf } from '../../../common/shape.ts';
import { MAX_PAGE_BYTES, PAGE_MS } from './sidecar_pods.ts';

/** What is asked for. */
export interface ForwardedPage {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  readonly path: string;
}

const HEAD_END = '\r\n\r\n';

/** Longest text of a failure that is shown, characters. */
const MAX_SHOWN = 200;

/**
 * Asks once. Source: the subresource `pods/portforward` of the API, over WebSocket.
 * @throws Error that says in a few words why there is no page
 */
export async function forwardedPage(
  config: KubeConfig,
  { namespace, pod, port, path }: ForwardedPage,
  signal: AbortSignal,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => undefined); // it may fail before anybody waits for it
  const answer = new HttpAnswer(resolve, reject);
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      answer.add(chunk);
      done();
    },
  });
  let failure = '';
  const errors = new Writable({
    write(chunk: Buffer, _, done) {
      failure = (failure + chunk.toString()).slice(0, MAX_SHOWN);
      // The first message has nothing behind the number of the port.
      if (failure !== '')
        reject(new Error(failure.includes('refused') ? 'its sidecar does not run' : failure));
      done();
    },
  });
  const input = new PassThrough();
  const forward = new PortForward(config);
  const late = AbortSignal.any([signal, AbortSignal.timeout(PAGE_MS)]);
  const stop = (): void => reject(new Error('no answer'));
  late.addEventListener('abort', stop, { once: true });
  const opening = forward.portForward(namespace, pod, [port], output, errors, input);
  // One that opens when nobody waits any more is closed all the same.
  const closed = opening.then((socket) => {
    if (typeof socket === 'function') return;
    socket.addEventListener('close', () => answer.end());
    if (late.aborted) socket.close();
    else input.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close${HEAD_END}`);
    return socket;
  });
  closed.catch((error: unknown) => reject(new Error(reasonOf(error, namespace))));
  try {
    return await promise;
  } finally {
    late.removeEventListener('abort', stop);
    void closed.then((socket) => socket?.close()).catch(() => undefined);
  }
}

/** The library gives events of its WebSocket for errors. */
function reasonOf(error: unknown, namespace: string): string {
  const { message } = fieldsOf(error);
  const text = typeof message === 'string' ? message : messageOf(error);
  const status = /server response: (\d{3})/.exec(text)?.[1];
  if (status === '403' || status === '401')
    return `you may not create pods/portforward (kubectl auth can-i create pods/portforward -n ${namespace})`;
  if (status === '404') return 'the pod is gone';
  return text;
}

/** An answer of the admin port: its head, and as many bytes as that says. */
class HttpAnswer {
  readonly #resolve: (body: string) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes of the whole answer, once its head is there. */
  #wanted: number | undefined;
  #headBytes = 0;
  #status = 0;

  constructor(resolve: (body: string) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > MAX_PAGE_BYTES) return this.#reject(new Error('its page is too long'));
    if (this.#wanted === undefined) this.#readHead();
    if (this.#wanted === undefined || this.#size < this.#wanted) return;
    const body = Buffer.concat(this.#chunks).subarray(this.#headBytes, this.#wanted).toString();
    // A sidecar that is not ready says why with 503.
    if (this.#status === 200 || this.#status === 503) this.#resolve(body);
    else this.#reject(new Error(`it answers ${this.#status}: ${body.trim().slice(0, MAX_SHOWN)}`));
  }

  /** There is no more. */
  end(): void {
    this.#reject(new Error('the connection ended before the answer did'));
  }

  #readHead(): void {
    const text = Buffer.concat(this.#chunks).toString('latin1');
    const end = text.indexOf(HEAD_END);
    if (end === -1) return;
    const head = text.slice(0, end);
    this.#headBytes = end + HEAD_END.length;
    this.#status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
    const length = /^content-length: *(\d+)$/im.exec(head)?.[1];
    if (length === undefined) this.#reject(new Error('its answer is not that of a sidecar'));
    else this.#wanted = this.#headBytes + Number(length);
  }
}
