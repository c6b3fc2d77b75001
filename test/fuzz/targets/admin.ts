/**
 * Bytes of any kind to a sidecar's admin port, over real sockets: never a crash, at most one well-formed answer a
 * connection, 200 to a GET only, and the port goes on answering.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { serveAdmin } from '../../../sidecar/admin/admin.ts';
import { EMPTY_ADMIN_PAGES } from '../../support/empty_admin_pages.ts';
import type { Random } from '../random.ts';
import { type Counts, Finding, type FuzzTarget, type OpenTarget } from '../target.ts';

/** Connections of one case, side by side. */
const CONNECTIONS = 16;

/** The port answers within milliseconds; a busy machine gets this long. */
const ANSWER_MS = 10_000;

const METHODS = ['GET', 'POST', 'HEAD', 'DELETE', 'CONNECT', 'get', 'GETx', ''];
const PATHS = [
  '/',
  '/metrics',
  '/flows',
  '/table',
  '/connections',
  '/healthz',
  '/readyz',
  '/quitquitquit',
  '/../x',
  '/__proto__',
  '/constructor',
  '/%00',
  '//',
  '?',
  '*',
  'http://x/table',
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2', 'HTTP/1.', 'x', ''];
const HEALTH = 'GET /healthz HTTP/1.1\r\n\r\n';

/** The fuzzer. */
export const adminTarget: FuzzTarget = {
  name: 'admin',
  about: "any bytes to a sidecar's admin port: one well-formed answer or none, and it goes on answering",
  open: async () => new AdminUnderTest(await serveAdmin(0, [], EMPTY_ADMIN_PAGES)),
};

class AdminUnderTest implements OpenTarget {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async tryCase(random: Random, counts: Counts): Promise<void> {
    const { port } = this.#server.address() as AddressInfo;
    const requests = Array.from({ length: CONNECTIONS }, () => ({
      bytes: requestOf(random),
      end: random.pick<End>(['half-close', 'half-close', 'wait', 'reset']),
    }));
    counts.inputs += requests.length;
    const answers = await Promise.all(requests.map(({ bytes, end }) => ask(port, bytes, end)));
    for (const [at, answer] of answers.entries()) {
      const input = requests[at]?.bytes.toString('latin1') ?? '';
      const wrong = wrongWith(answer, input);
      counts.add(answer === '' ? 'no answer' : `answer ${answer.slice(9, 12)}`);
      if (wrong !== undefined) throw new Finding(`${wrong}: ${answer.slice(0, 300)}`, input);
    }
    const health = await ask(port, Buffer.from(HEALTH), 'wait');
    if (!health.startsWith('HTTP/1.1 200 ')) throw new Finding(`/healthz answered "${health}"`, requests);
  }

  async close(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}

type End = 'half-close' | 'wait' | 'reset';

/** Sends, ends as asked, and gives what came back until the connection closed. */
async function ask(port: number, bytes: Buffer, end: End): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer, and no end')));
  socket.write(bytes);
  // Without the end of a head the port waits for more, up to its own bound.
  if (end === 'half-close' || (end === 'wait' && !bytes.includes('\r\n\r\n'))) socket.end();
  if (end === 'reset') socket.once('connect', () => setImmediate(() => socket.resetAndDestroy()));
  try {
    return await text(socket);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (end === 'reset' || code === 'ECONNRESET' || code === 'EPIPE') return '';
    if (code === 'ERR_STREAM_PREMATURE_CLOSE') return '';
    throw new Finding(message, bytes.toString('latin1'));
  } finally {
    socket.destroy();
  }
}

function requestOf(random: Random): Buffer {
  const line = `${random.pick(METHODS)} ${random.pick(PATHS)} ${random.pick(VERSIONS)}\r\n`;
  return random.pick<() => Buffer>([
    () => random.bytes(random.below(9_000)),
    () => Buffer.from(`${line}${'a: b\r\n'.repeat(random.below(5))}\r\n`),
    () => Buffer.from(`${line}content-length: 5\r\n\r\nhello`),
    () => Buffer.from('GET /metrics HTTP/1.1\r\n\r\n'.repeat(1 + random.below(300))),
    () => Buffer.from(`GET /${'a'.repeat(random.below(20_000))} HTTP/1.1\r\n\r\n`),
    () => Buffer.from(`${'\r\n'.repeat(random.below(50))}${HEALTH}`),
    () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    () => Buffer.from(HEALTH).subarray(0, random.below(HEALTH.length)),
  ])();
}

/** What is wrong with what came back. */
function wrongWith(answer: string, input: string): string | undefined {
  if (answer === '') return undefined;
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const body = rest.join('\r\n\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) [A-Z][A-Za-z ]+\r\n/.exec(head)?.[1];
  if (status === undefined) return 'no status line';
  if (Buffer.byteLength(body) !== Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1]))
    return 'another length than it says: more than one answer?';
  if (!head.includes('\r\nconnection: close')) return 'the connection is not said to close';
  if (status === '500') return 'an internal error';
  if (status === '200' && !input.startsWith('GET ')) return '200 to what is no GET';
  return undefined;
}
