import { expect, onTestFinished, test, vi } from 'vitest';
import { socketCookie } from '../../../../sidecar/kernel/tcp_sockets.ts';
import {
  ALLOWED,
  app,
  begun,
  client,
  DENIED,
  EOPNOTSUPP,
  FakeKernel,
  following,
  gone,
  POD,
} from './fake_kernel.ts';

test('nobody looks while nothing is reported, and soon after a report somebody does', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  await flows.start();
  const atFirst = kernel.reads;
  await vi.advanceTimersByTimeAsync(9_900);
  expect(kernel.reads).toBe(atFirst);

  kernel.socket(client(1));
  kernel.report(begun(client(1)));
  kernel.report(begun(client(2)));
  expect(kernel.reads).toBe(atFirst); // more may come
  await vi.advanceTimersByTimeAsync(60);
  await vi.waitFor(() => expect(accepted).toMatchObject([{ source: client(1) }, { source: client(2) }]));

  // Of the second one the app has no socket: that is found out without another report.
  await vi.waitFor(async () => {
    await vi.advanceTimersByTimeAsync(50);
    expect(ended).toMatchObject([{ port: 2, ending: { end: 'broken' } }]);
  });
  await vi.advanceTimersByTimeAsync(100);
  const reads = kernel.reads;
  await vi.advanceTimersByTimeAsync(9_000);
  expect(kernel.reads).toBe(reads);
  await flows.close();
});

test('what a change of the table has read is looked for as soon as what was reported', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  await vi.advanceTimersByTimeAsync(5_000);
  kernel.begins.push(begun(client(1))); // the app has no socket of it
  await flows.read();
  await vi.advanceTimersByTimeAsync(1_200);
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'broken' } }]);
  await flows.close();
});

test('of an order that is carried out in part the rest is ordered again, and each has one record', async () => {
  const kernel = new FakeKernel();
  const { flows, ended, notEnded } = following(kernel);
  await flows.start();
  kernel.kept.add(2);
  for (const port of [1, 2]) {
    kernel.socket(client(port, DENIED));
    kernel.begins.push(begun(client(port, DENIED)));
  }
  await flows.read();
  await vi.waitFor(() => expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset' } }]));
  expect(notEnded).not.toEqual([]);
  kernel.kept.clear();
  await flows.settled();
  expect(ended.map(({ port }) => port)).toEqual([1, 2]);
  expect(kernel.destroyed.filter((port) => port === 1)).toEqual([1]);
  await flows.close();
});

test('an end that is reported while its order is carried out is recorded once, as ours', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.whileOrdered = async (sockets) => {
    for (const { remote, handle } of sockets)
      kernel.gone.push(gone(remote, { cookie: socketCookie(handle), end: 'reset' }));
    await flows.read();
  };
  kernel.socket(client(1, DENIED));
  kernel.begins.push(begun(client(1, DENIED)));
  await flows.read();
  await flows.settled();
  await flows.read();
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset' } }]);
  await flows.close();
});

test('a connection begins and ends as it is reported, with what the kernel has counted', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  await flows.start();
  kernel.begins.push(begun(client(1)), begun(client(2)));
  await flows.read();
  expect(accepted).toMatchObject([{ source: client(1), destination: app, admitted: true }, {}]);
  kernel.gone.push(gone(client(1)), gone(client(2), { end: 'silent' }));
  await flows.read();
  expect(ended).toMatchObject([
    { port: 1, ending: { end: 'closed', toSource: 2, fromSource: 3 } },
    { port: 2, ending: { end: 'peer-timeout' } },
  ]);
  await flows.close();
});

test('one that is short has begun before it ended, whichever report is read first', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.begins.push(begun(client(1)));
  kernel.gone.push(gone(client(1)));
  await flows.read();
  expect(ended).toMatchObject([{ port: 1 }]);
  await flows.close();
});

test('what is not of a direct port, of the node, of the pod or local is left alone', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted } = following(kernel);
  await flows.start();
  kernel.begins.push(
    begun(client(1), { address: POD, port: 81 }),
    begun(client(2, '10.0.0.254')),
    begun(client(3, POD)),
    begun(client(4, '127.0.0.1')),
  );
  await flows.read();
  expect(accepted).toEqual([]);
  await flows.close();
});

test('one that is denied is destroyed, and its later end is not recorded again', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.socket(client(1, DENIED));
  kernel.begins.push(begun(client(1, DENIED)));
  await flows.read();
  await flows.settled();
  expect(kernel.destroyed).toEqual([1]);
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset', toSource: 5, fromSource: 7 } }]);
  // The client uses its port again before the app has closed the socket that was destroyed.
  kernel.begins.push(begun(client(1)));
  kernel.gone.push(gone(client(1), { cookie: 1 }));
  await flows.read();
  expect(ended).toHaveLength(1);
  await flows.close();
});

test('what is to end is destroyed before anything that is asked for after it', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  await flows.start();
  for (const port of [1, 2]) {
    kernel.socket(client(port));
    kernel.begins.push(begun(client(port)));
  }
  await flows.read();
  for (const connection of accepted) connection.reset();
  await Promise.resolve(); // as the next one who asks
  expect(kernel.destroyed).toEqual([1, 2]);
  expect(ended).toEqual([]);
  await flows.settled();
  expect(ended.map(({ port }) => port)).toEqual([1, 2]);
  await flows.close();
});

test('one that is denied and that no question finds is destroyed as the list has it', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.hidden.add(1);
  kernel.socket(client(1, DENIED));
  kernel.begins.push(begun(client(1, DENIED)));
  await flows.read();
  await flows.settled();
  expect(kernel.destroyed).toEqual([1]);
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset', toSource: 5, fromSource: 7 } }]);
  await flows.close();
});

test('one that is denied and not there any more is recorded all the same', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.begins.push(begun(client(1, DENIED)));
  await flows.read();
  await flows.settled();
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset' } }]);
  await flows.close();
});

test('those that were there before are taken over, and are not taken for two when they are reported too', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  const cookie = socketCookie(kernel.socket(client(1)).handle);
  kernel.socket(client(2, DENIED));
  kernel.begins.push(begun(client(3)));
  await flows.start();
  expect(accepted.map(({ source }) => source.port).toSorted()).toEqual([1, 2, 3]);
  expect(kernel.destroyed).toEqual([2]);
  kernel.gone.push(gone(client(1), { cookie }));
  await flows.read();
  expect(ended.map(({ port }) => port)).toEqual([2, 1]);
  await flows.close();
});

test('a sweep ends those that are being opened, and leaves no record of them', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted } = following(kernel);
  await flows.start();
  kernel.socket(client(1, DENIED), true);
  kernel.socket(client(2), true);
  await flows.sweep();
  expect(kernel.destroyed).toEqual([1]);
  expect(accepted).toEqual([]);
  await flows.close();
});

test('one that the app has reset is that of the client which is not there any more', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel, { allowed: [ALLOWED, '10.0.0.3'] });
  await flows.start();
  kernel.socket(client(1));
  kernel.begins.push(begun(client(1)), begun(client(2)), begun(client(3, '10.0.0.3')));
  kernel.gone.push(gone({ address: ALLOWED, port: 0 }, { local: { address: '::', port: 80 } }));
  await flows.read();
  expect(ended).toMatchObject([{ port: 2, ending: { end: 'reset-by-destination' } }]);
  await flows.close();
});

test('where reports were lost, the list of sockets stands in for them', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended, overruns } = following(kernel);
  await flows.start();
  kernel.begins.push(begun(client(1)));
  await flows.read();
  kernel.isLost = true;
  kernel.socket(client(2));
  kernel.socket(client(3, DENIED));
  await flows.read();
  await flows.settled();
  expect(overruns).toHaveLength(1);
  expect(ended).toMatchObject([
    { port: 1, ending: { end: 'broken' } },
    { port: 3, ending: { end: 'reset' } },
  ]);
  expect(accepted.map(({ source }) => source.port)).toEqual([1, 2, 3]);
  await flows.close();
});

test('a kernel that cannot destroy sockets is named; it is tried again at the next change', async () => {
  const kernel = new FakeKernel();
  kernel.result = EOPNOTSUPP;
  const { flows, ended } = following(kernel, { mustEnd: false });
  await flows.start();
  kernel.socket(client(1, DENIED));
  kernel.begins.push(begun(client(1, DENIED)));
  await flows.sweep();
  expect(flows.problem).toContain('ENOTSUP');
  expect(ended).toEqual([]);
  kernel.result = 0;
  await flows.sweep();
  expect(flows.problem).toBeUndefined();
  expect(ended).toMatchObject([{ port: 1 }]);
  await flows.close();
});

test.each([1, 2])('what fails is tried again: question or order %i', async (failures) => {
  const kernel = new FakeKernel();
  const { flows, ended, notEnded } = following(kernel);
  await flows.start();
  kernel.socket(client(1, DENIED));
  kernel.begins.push(begun(client(1, DENIED)));
  kernel.failures = failures;
  await flows.read();
  await flows.sweep();
  expect(kernel.destroyed).toContain(1);
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset' } }]);
  expect(flows.problem).toBeUndefined();
  expect(notEnded).toEqual(Array.from({ length: failures }, () => 'too many open files'));
  await flows.close();
});

test('handshakes of denied clients are forgotten where there may be SYN cookies, however often that is tried', async () => {
  const kernel = new FakeKernel();
  const { flows, notEnded } = following(kernel);
  await flows.start();
  kernel.handshakes = [begun(client(1, DENIED)), begun(client(2)), begun(client(3, '10.0.0.254'))];
  kernel.failures = 1;
  await flows.sweep();
  expect(kernel.forgotten).toEqual([1]);
  expect(notEnded).toHaveLength(1);
  await flows.close();
});

test('of many that end, an order that fails while others are asked about is tried again', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  for (let port = 1; port <= 600; port += 1) {
    kernel.socket(client(port, DENIED));
    kernel.begins.push(begun(client(port, DENIED)));
  }
  kernel.failures = 2; // the first question, and the first order
  await flows.read();
  await flows.settled();
  expect(ended).toHaveLength(600);
  expect(kernel.sockets).toEqual([]);
  await flows.close();
});

test('a question that fails stops no records', async () => {
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.begins.push(begun(client(1)), begun(client(2)));
  const cookie = socketCookie(kernel.socket(client(2)).handle);
  // Port 1 was reset by its app, which has to be found out.
  kernel.gone.push(gone({ address: ALLOWED, port: 0 }));
  kernel.failures = 1;
  await flows.read();
  expect(flows.problem).toBe('too many open files');
  await flows.read();
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset-by-destination' } }]);
  kernel.gone.push(gone(client(2), { cookie }));
  await flows.read();
  expect(ended).toHaveLength(2);
  await flows.close();
});

/** Time passes only when a test says so. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

test('a flood of connections holds up neither a read nor a sweep, and none of them is taken for two', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  await flows.start();
  kernel.flood = { address: ALLOWED, port: 0 };
  await flows.read();
  const followed = accepted.length;
  expect(followed).toBeGreaterThan(6_000); // what the kernel's buffer has
  expect(followed).toBeLessThan(20_000);
  // In the list, with a report that comes after it.
  const listed = 65_000;
  const cookie = socketCookie(kernel.socket(client(listed)).handle);
  kernel.socket(client(1, DENIED));
  kernel.begins.push(begun(client(1, DENIED)));
  await flows.sweep();
  expect(kernel.destroyed).toEqual([1]);
  kernel.flood = undefined;
  kernel.begins.push(begun(client(listed)));
  await flows.read();
  expect(accepted.filter(({ source }) => source.port === listed)).toHaveLength(1);
  kernel.gone.push(gone(client(listed), { cookie }));
  await flows.read();
  expect(ended.filter(({ port }) => port === listed)).toHaveLength(1);
  await flows.close();
});

test('one of which the app never gets a socket ends soon; others are looked for once', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  kernel.begins.push(begun(client(1)), begun(client(2)), begun(client(3)));
  const waiting = kernel.socket(client(2), true); // the app's accept queue is full
  kernel.socket(client(3));
  await flows.read();
  expect([ended, kernel.asked]).toEqual([[], 0]);
  vi.advanceTimersByTime(1_000);
  await flows.read();
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'broken' } }]);
  kernel.sockets = kernel.sockets.filter((one) => one !== waiting); // its client has given up
  await flows.read();
  expect(kernel.asked).toBe(3);
  vi.advanceTimersByTime(1_000);
  await flows.read();
  expect(ended).toMatchObject([{ port: 1 }, { port: 2, ending: { end: 'broken' } }]);
  vi.advanceTimersByTime(1_000);
  await flows.read();
  expect(kernel.asked).toBe(4);
  await flows.close();
});

test('of thousands of connections of a client the one that the app has reset is found without a question', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  const count = 3_000;
  for (let port = 1; port <= count; port += 1) {
    kernel.socket(client(port));
    kernel.begins.push(begun(client(port)));
  }
  await flows.read();
  vi.advanceTimersByTime(1_000);
  while (kernel.asked < count) await flows.read();
  kernel.sockets = kernel.sockets.filter(({ remote }) => remote.port !== 2_500);
  kernel.gone.push(gone({ address: ALLOWED, port: 0 }, { cookie: 2_500 }));
  await flows.read();
  expect(ended).toMatchObject([{ port: 2_500, ending: { end: 'reset-by-destination' } }]);
  expect(kernel.asked).toBe(count);
  await flows.close();
});

test('where nobody has seen the sockets of thousands, no read asks about all of them', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  const count = 3_000;
  for (let port = 1; port <= count; port += 1) {
    if (port !== 2_500) kernel.socket(client(port));
    kernel.begins.push(begun(client(port)));
  }
  kernel.gone.push(gone({ address: ALLOWED, port: 0 }, { cookie: 2_500_000 }));
  for (let read = 1; read <= 3; read += 1) {
    const before = kernel.asked;
    await flows.read();
    expect(kernel.asked - before).toBeLessThanOrEqual(1_024);
  }
  expect(ended).toMatchObject([{ port: 2_500, ending: { end: 'reset-by-destination' } }]);
  await flows.close();
});

/** Records written in a turn of the event loop that a program may have to wait for: see `RECORDS_AT_ONCE`. */
const RECORDS_OF_A_TURN = 50;

/** @returns the most that were added to a list in one turn of the event loop while something was done */
async function mostInATurn(list: readonly unknown[], work: () => Promise<void>): Promise<number> {
  let most = 0;
  let before = list.length;
  const look = (): void => {
    most = Math.max(most, list.length - before);
    before = list.length;
    timer = setImmediate(look);
  };
  let timer = setImmediate(look);
  await work();
  clearImmediate(timer);
  return Math.max(most, list.length - before);
}

test.each(['reset', 'missing'] as const)(
  'hundreds that are found to be %s end a few at a time',
  async (kind) => {
    stopClock();
    const kernel = new FakeKernel();
    const { flows, ended } = following(kernel);
    await flows.start();
    const count = 600;
    for (let port = 1; port <= count; port += 1) {
      kernel.socket(client(port));
      kernel.begins.push(begun(client(port)));
    }
    await flows.read();
    vi.advanceTimersByTime(1_000);
    while (kernel.asked < count) await flows.read();
    kernel.sockets = [];
    if (kind === 'missing') kernel.isLost = true;
    else
      for (let cookie = 1; cookie <= count; cookie += 1)
        kernel.gone.push(gone({ address: ALLOWED, port: 0 }, { cookie }));
    const most = await mostInATurn(ended, () => flows.read());
    expect(ended).toHaveLength(count);
    expect(most).toBeLessThanOrEqual(RECORDS_OF_A_TURN);
    await flows.close();
  },
);

/** More connections of a client than are asked about in a read, none of which the app has accepted. */
const NOT_ACCEPTED = 1_100;
const OTHER = '10.0.0.3';

/** @returns what follows these connections, and reads once when there has been a reset of their client's */
async function withFullQueue(kernel: FakeKernel, without: number) {
  const followed = following(kernel, { allowed: [ALLOWED, OTHER] });
  await followed.flows.start();
  for (let port = 1; port <= NOT_ACCEPTED; port += 1) {
    if (port !== without) kernel.socket(client(port), true);
    kernel.begins.push(begun(client(port)));
  }
  return followed;
}

test('of more connections than are asked about at once, those that the app has not accepted hide no other', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, ended } = await withFullQueue(kernel, 1_090);
  kernel.gone.push(gone({ address: ALLOWED, port: 0 }, { cookie: 5_000 }));
  for (let read = 0; read < 2; read += 1) {
    const before = kernel.asked;
    await flows.read();
    expect(kernel.asked - before).toBeLessThanOrEqual(1_024);
  }
  expect(ended).toMatchObject([{ port: 1_090, ending: { end: 'reset-by-destination' } }]);
  const { asked } = kernel;
  await flows.read();
  expect(kernel.asked).toBe(asked); // each once
  await flows.close();
});

test('a client whose connections are not accepted, and reset all the time, hides no resets of others', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, ended } = await withFullQueue(kernel, 0);
  kernel.begins.push(begun(client(2_000, OTHER)));
  const reset = (address: string, cookie: number) => kernel.gone.push(gone({ address, port: 0 }, { cookie }));
  for (let read = 1; read <= 3; read += 1) {
    reset(ALLOWED, 5_000 + read);
    reset(OTHER, 6_000);
    await flows.read();
  }
  expect(ended).toMatchObject([{ port: 2_000, ending: { end: 'reset-by-destination' } }]);
  await flows.close();
});

test('of more resets of a client than are remembered all connections are asked about', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, ended } = await withFullQueue(kernel, 0);
  kernel.begins.push(begun(client(2_000, OTHER))); // no report says that it has ended
  for (let cookie = 1; cookie <= 20_000; cookie += 1)
    kernel.gone.push(gone({ address: ALLOWED, port: 0 }, { cookie: 5_000 + cookie }));
  for (let read = 0; read < 3; read += 1) await flows.read();
  expect(ended).toMatchObject([{ port: 2_000, ending: { end: 'broken' } }]);
  await flows.close();
});

test('where reports are lost all the time, not all connections are asked about each time', async () => {
  stopClock();
  const kernel = new FakeKernel();
  const { flows, ended } = following(kernel);
  await flows.start();
  for (let port = 1; port <= 600; port += 1) {
    kernel.socket(client(port));
    kernel.begins.push(begun(client(port)));
  }
  for (let read = 0; read < 10; read += 1) {
    kernel.isLost = true;
    await flows.read();
  }
  expect(kernel.asked).toBe(600);
  kernel.sockets = [];
  vi.advanceTimersByTime(5_000);
  await flows.read();
  expect(ended).toHaveLength(600);
  await flows.close();
});

test('one that connection tracking had forgotten, and took for the own of the app when that sent something, is ended', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  kernel.socket(client(1, DENIED));
  kernel.pickedUp.add(1);
  await flows.start();
  await flows.settled();
  expect(accepted).toHaveLength(1);
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset' } }]);
  await flows.close();
});

test('one that the pod has opened is left alone where connection tracking has picked it up', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted } = following(kernel);
  kernel.isListening = false;
  kernel.socket(client(1, DENIED));
  kernel.pickedUp.add(1);
  await flows.start();
  expect([accepted, kernel.destroyed]).toEqual([[], []]);
  await flows.close();
});

test('one that a rule leads to a port of the proxy is found at the start', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  const elsewhere = { address: POD, port: 9090 };
  // As connection tracking has them; another client is one of the proxy there.
  const flow = { ...begun(client(1, DENIED)), answering: elsewhere };
  kernel.moved = [flow];
  kernel.flows.set(1, flow).set(2, begun(client(2, DENIED), elsewhere));
  for (const port of [1, 2])
    kernel.sockets.push({ ...kernel.socket(client(port, DENIED)), local: elsewhere });
  kernel.sockets = kernel.sockets.filter(({ local }) => local === elsewhere);
  await flows.start();
  await flows.settled();
  expect(accepted).toMatchObject([{ source: client(1, DENIED), destination: app }]);
  expect(kernel.destroyed).toEqual([1]);
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'reset' } }]);
  await flows.close();
});

test('one whose port is another one at the socket is ended by that, and judged and recorded by its own', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  await flows.start();
  const translated = { address: '10.0.0.9', port: 50_000 };
  kernel.socket(translated);
  kernel.begins.push({ ...begun(client(1, DENIED)), answered: translated });
  kernel.begins.push({ ...begun(client(2)), answered: { ...translated, port: 50_002 } });
  await flows.read();
  await flows.settled();
  expect(accepted).toMatchObject([{ source: client(1, DENIED) }, { source: client(2) }]);
  expect(kernel.destroyed).toEqual([50_000]);
  kernel.gone.push(gone({ ...translated, port: 50_002 }));
  await flows.read();
  expect(ended).toMatchObject([
    { port: 1, ending: { end: 'reset' } },
    { port: 2, ending: { end: 'closed' } },
  ]);
  await flows.close();
});

test('one that a rule of the pod leads to another port is that of the port which its client has sent to', async () => {
  const kernel = new FakeKernel();
  const { flows, accepted, ended } = following(kernel);
  await flows.start();
  const elsewhere = { address: POD, port: 9090 };
  kernel.sockets.push({ ...kernel.socket(client(1)), local: elsewhere });
  kernel.begins.push({ ...begun(client(1)), answering: elsewhere });
  // Not direct where it was sent to, or led to the proxy.
  kernel.begins.push({ ...begun(client(2), elsewhere), answering: app });
  kernel.begins.push({ ...begun(client(3)), answering: { address: POD, port: 15_006 } });
  await flows.read();
  expect(accepted).toMatchObject([{ source: client(1), destination: app }]);
  kernel.gone.push(gone(client(1), { local: elsewhere }));
  await flows.read();
  expect(ended).toMatchObject([{ port: 1, ending: { end: 'closed' } }]);
  await flows.close();
});
