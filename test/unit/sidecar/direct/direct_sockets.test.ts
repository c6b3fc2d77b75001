/** Which connection a socket is of: by what the kernel calls it, where its ends do not say so; and sockets of which nothing was reported. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { socketCookie } from '../../../../sidecar/kernel/tcp_sockets.ts';
import { begun, client, DENIED, FakeKernel, following, gone, POD } from './fake_kernel.ts';

test('one that uses the port of another again, which was to end and has, is left alone', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  kernel.socket(client(1));
  await flows.start();
  kernel.kept.add(1);
  accepted[0]?.reset();
  await vi.waitFor(() => expect(kernel.destroyed).toEqual([1])); // in vain
  // It ends by itself, its client comes again, and a later table allows that.
  kernel.kept.clear();
  kernel.sockets = [];
  const again = kernel.socket(client(1));
  kernel.begins.push(begun(client(1)));
  await flows.read();
  await flows.settled();
  expect(kernel.sockets).toEqual([again]);
  expect(accepted).toHaveLength(2);
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset' } }]);
  await flows.close();
});

test('a sweep ends a denied one that uses the port of another again, which is still to end, and that nobody was told of', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  kernel.kept.add(1);
  kernel.socket(client(1, DENIED));
  await flows.start();
  await vi.waitFor(() => expect(kernel.destroyed).toEqual([1])); // in vain
  kernel.kept.clear();
  kernel.sockets = [];
  kernel.socket(client(1, DENIED));
  await flows.sweep();
  expect(kernel.sockets).toEqual([]);
  expect(ended.map(({ port }) => port)).toEqual([1, 1]);
  await flows.close();
});

test('of two connections from one port of a client each has its own end', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.begins.push(begun(client(1)), begun(client(1)));
  kernel.gone.push(gone(client(1), { bytesSent: 10 }));
  await flows.read();
  expect(ended).toMatchObject([{ port: 1, ending: { toSource: 10 } }]);
  kernel.gone.push(gone(client(1), { bytesSent: 20 }));
  await flows.read();
  expect(ended[1]).toMatchObject({ port: 1, ending: { toSource: 20 } });
  await flows.close();
});

test('an end is that of the connection whose socket it is, not of the oldest with its ends', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  const first = socketCookie(kernel.socket(client(1)).handle);
  await flows.start();
  // Another port of the client is translated to the same ends, before the end of the first is reported.
  kernel.sockets = [];
  const again = socketCookie(kernel.socket(client(1)).handle);
  kernel.begins.push({ ...begun(client(7)), answered: client(1) });
  kernel.gone.push(gone(client(1), { cookie: again, bytesSent: 20 }));
  await flows.read();
  kernel.gone.push(gone(client(1), { cookie: first, bytesSent: 10 }));
  await flows.read();
  expect(ended).toMatchObject([
    { port: 7, ending: { toSource: 20 } },
    { port: 1, ending: { toSource: 10 } },
  ]);
  await flows.close();
});

test('the end of a socket of which no connection is followed ends no other with its ends', async () => {
  const kernel = new FakeKernel();
  const { flows, ended, unknownEnds } = following(kernel);
  const cookie = socketCookie(kernel.socket(client(1)).handle);
  await flows.start();
  kernel.gone.push(gone(client(1), { cookie: cookie + 1 }));
  await flows.read();
  expect([ended, unknownEnds]).toEqual([[], [1]]);
  kernel.gone.push(gone(client(1), { cookie }));
  await flows.read();
  expect([ended.length, unknownEnds]).toEqual([1, [1]]);
  await flows.close();
});

test('the end of one that nobody followed is counted, once its port has served others', async () => {
  const kernel = new FakeKernel();
  const { flows, ended, unknownEnds } = following(kernel);
  await flows.start();
  kernel.gone.push(gone(client(1), { local: { address: POD, port: 40_000 } })); // the pod has opened it
  kernel.begins.push(begun(client(2)), begun(client(3, DENIED)));
  kernel.socket(client(3, DENIED));
  await flows.read();
  await flows.settled();
  kernel.gone.push(
    gone(client(2)),
    gone(client(3, DENIED), { cookie: 1 }), // ended by the sidecar
    gone(client(4, '10.0.0.254')), // of the node
  );
  await flows.read();
  expect([ended.length, unknownEnds]).toEqual([2, []]);
  kernel.gone.push(gone(client(5)));
  await flows.read();
  expect([ended.length, unknownEnds]).toEqual([2, [1]]);
  await flows.close();
});

test('the end of one that is destroyed while its report is being read is not counted', async () => {
  const kernel = new FakeKernel();
  const { flows, unknownEnds } = following(kernel);
  await flows.start();
  // Beginnings are read between the look at an end and what follows from it: that takes a turn.
  kernel.whenEndsAreRead = () => kernel.begins.push(begun(client(2)));
  kernel.socket(client(1, DENIED));
  kernel.begins.push(begun(client(1, DENIED)));
  kernel.whileOrdered = async (sockets) => {
    for (const { remote, handle } of sockets)
      kernel.gone.push(gone(remote, { cookie: socketCookie(handle), end: 'reset' }));
    void flows.read();
    while (kernel.gone.length > 0) await turn();
  };
  await flows.read();
  await flows.settled();
  await flows.read();
  expect(unknownEnds).toEqual([]);
  await flows.close();
});

/** A connection that a rule of the pod's leads to a port of the proxy; of its beginning nothing is said. */
function moveUnreported(kernel: FakeKernel, port: number): void {
  const elsewhere = { address: POD, port: 9090 };
  const flow = { ...begun(client(port, DENIED)), answering: elsewhere };
  kernel.moved.push(flow);
  kernel.flows.set(port, flow);
  const socket = kernel.socket(client(port, DENIED));
  kernel.sockets = [...kernel.sockets.filter((one) => one !== socket), { ...socket, local: elsewhere }];
}

test('one that a rule leads to a port of the proxy, and whose report was lost, is ended by the next sweep', async () => {
  const kernel = new FakeKernel();
  const { flows } = following(kernel);
  await flows.start();
  kernel.isLost = true;
  await flows.read(); // the list has stood in for reports just now, and does not so soon again
  kernel.isLost = true;
  moveUnreported(kernel, 1);
  await flows.sweep();
  expect(kernel.destroyed).toEqual([1]);
  await flows.close();
});

test('a sweep that hears of lost reports at its end looks once more', async () => {
  const kernel = new FakeKernel();
  const { flows } = following(kernel);
  await flows.start();
  moveUnreported(kernel, 1);
  kernel.socket(client(2, DENIED), true);
  kernel.whileOrdered = () => {
    kernel.isLost = true;
    kernel.whileOrdered = () => {};
  };
  await flows.sweep();
  expect(kernel.destroyed).toEqual([2, 1]);
  await flows.close();
});
