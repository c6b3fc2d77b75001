/** Long exchanges with the kernel, in pieces, so that other work gets its turn between them. */
import { setImmediate as turn } from 'node:timers/promises';
import { errnoName } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { message, Netlink, type NetlinkMessage, NLM_F_ACK, NLM_F_DUMP } from '../../native/index.ts';

/** Messages in one datagram: some milliseconds of the kernel's time, and as much for reading the answers. */
const MESSAGES_AT_ONCE = 128;

/** Room for the answers to all of them: the kernel counts some 4 KiB for each. It takes twice what it is given. */
const ANSWERS_BYTES = 512 * 1024;

/** An order or a question. */
export interface Order {
  readonly type: number;
  /** Fixed part and attributes. */
  readonly body: readonly Uint8Array[];
}

/**
 * All objects that a question is about, as many at a time as one datagram has. They are valid until the next are asked for.
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export async function* dump(
  protocol: number,
  { type, body }: Order,
): AsyncGenerator<readonly NetlinkMessage[], void, void> {
  const socket = new Netlink(protocol);
  try {
    socket.send(message(type, NLM_F_DUMP, 1, body));
    for (;;) {
      const messages = socket.receive();
      const end = messages?.find(({ result }) => result !== undefined);
      if (messages === undefined || (end?.result ?? 0) < 0) throw incomplete(end?.result);
      yield messages.filter(({ result }) => result === undefined);
      if (end !== undefined) return;
      await turn();
    }
  } finally {
    socket.close();
  }
}

/**
 * Has the kernel do something many times over.
 * @returns for each order 0 or a negative error number
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export function order(protocol: number, orders: readonly Order[]): Promise<readonly number[]> {
  return answers(protocol, NLM_F_ACK, orders, ({ result }) => result);
}

/**
 * Asks for single objects, each by a question of its own.
 * @param read makes something of an object; `undefined` stands for one that is not there
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export function ask<T>(
  protocol: number,
  questions: readonly Order[],
  read: (found: NetlinkMessage | undefined) => T,
): Promise<readonly T[]> {
  return answers(protocol, 0, questions, (found) => read(found.result === undefined ? found : undefined));
}

/**
 * Asks whether single objects are there.
 * @returns for each question 0 or a negative error number
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export function look(protocol: number, questions: readonly Order[]): Promise<readonly number[]> {
  return answers(protocol, 0, questions, ({ result }) => result ?? 0);
}

async function answers<T>(
  protocol: number,
  flags: number,
  orders: readonly Order[],
  read: (answer: NetlinkMessage) => T | undefined,
): Promise<readonly T[]> {
  const results: T[] = [];
  const socket = new Netlink(protocol);
  try {
    socket.makeRoom(ANSWERS_BYTES);
    for (let from = 0; from < orders.length; from += MESSAGES_AT_ONCE) {
      if (from > 0) await turn();
      const piece = orders.slice(from, from + MESSAGES_AT_ONCE);
      socket.send(Buffer.concat(piece.map(({ type, body }, index) => message(type, flags, index, body))));
      // Answers come in the order of the questions.
      while (results.length < from + piece.length) {
        const received = socket.receive();
        if (received === undefined) throw incomplete(undefined);
        for (const answer of received) {
          const result = read(answer);
          if (answer.sequence !== results.length - from || result === undefined) throw incomplete(undefined);
          results.push(result);
        }
      }
    }
  } finally {
    socket.close();
  }
  return results;
}

function incomplete(result: number | undefined): SluiceError {
  const said = result === undefined ? 'no answer' : errnoName(result);
  return new SluiceError(
    'NETLINK_FAILED',
    `the kernel did not answer a netlink question (${said}): does it have nf_conntrack_netlink, inet_diag and nf_tables?`,
  );
}
