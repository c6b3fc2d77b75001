/** What is found of kernels that do not end TCP connections. test/netns/ending_probe.test.ts asks the real one. */
import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { endingProblem, type TriedKernel } from '../../../sidecar/kernel/ending_probe.ts';

const SIDE = { address: '127.0.0.1', port: 1 };
const LISTED = {
  local: SIDE,
  remote: SIDE,
  bytesSent: 0,
  bytesReceived: 0,
  isArriving: false,
  handle: { family: 2, id: new Uint8Array(48) },
};

/** Ends nothing. @param answer to an order to end a connection; absent: none is listed */
const kernel = (answer?: number): TriedKernel => ({
  async *sockets() {
    if (answer !== undefined) yield [LISTED];
  },
  destroy: async () => (answer === undefined ? [] : [answer]),
});

test.each([
  ['lists no connection', undefined, 'the kernel does not list TCP connections (CONFIG_INET_TCP_DIAG)'],
  [
    'lacks the order',
    -constants.errno.EOPNOTSUPP,
    'the kernel cannot end TCP connections (CONFIG_INET_DIAG_DESTROY)',
  ],
  ['does not allow it', -constants.errno.EPERM, 'ending TCP connections needs NET_ADMIN'],
  [
    'refuses for another reason',
    -constants.errno.EINVAL,
    'the kernel refuses to end a TCP connection: EINVAL',
  ],
  ['only says that it did', 0, 'the kernel said that it ended a TCP connection, which lives on'],
])('a kernel that %s', async (_what, answer, problem) => {
  expect(await endingProblem(kernel(answer))).toBe(problem);
});
