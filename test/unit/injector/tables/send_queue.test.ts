/** Whose turn it is: namespaces by what they cost, sessions as they came. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SendQueue } from '../../../../injector/tables/send_queue.ts';
import type { Due } from '../../../../injector/tables/session/due.ts';
import type { TableSession } from '../../../../injector/tables/session/table_session.ts';
import { waitFor } from '../wait_for.ts';

let queue: SendQueue;
/** Namespaces in the order in which their sessions were served. */
let served: string[];
let dues: Due[];
/** How often all changes of the cluster were taken in. */
let caughtUp: number;
let onCaughtUp: () => void;
/** The clock goes on by what frames cost, and where a test says so: a busy machine changes nothing. */
let nowMs = 0;

beforeEach(() => {
  nowMs = 0;
  onCaughtUp = () => undefined;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});

/** What of a session the queue looks at. */
function session(namespace: string, queuedBytes = 0): TableSession {
  return { namespace, queuedBytes } as TableSession;
}

function start(
  costMs: Readonly<Record<string, number>> = {},
  onServed: (namespace: string) => void = () => undefined,
  /** How many calls the frame of a namespace takes; default one. */
  calls: Readonly<Record<string, number>> = {},
  sendsChanges = false,
): void {
  let left = 0;
  served = [];
  dues = [];
  caughtUp = 0;
  queue = new SendQueue({
    catchUp: () => {
      caughtUp += 1;
      onCaughtUp();
    },
    send: ({ namespace }, due, goOn) => {
      if (namespace in calls) {
        left = left === 0 ? (calls[namespace] ?? 0) : left;
        for (left -= 1; left > 0; left -= 1) {
          nowMs += 4;
          if (!goOn()) return 'begun';
        }
      }
      nowMs += costMs[namespace] ?? 0;
      served.push(namespace);
      dues.push(due);
      onServed(namespace);
      return sendsChanges && due.kind === 'change' ? 'change' : 'done';
    },
  });
}

afterEach(() => {
  queue.close();
  vi.restoreAllMocks();
});

test('one namespace with costly tables waits for itself: the others have all of theirs after one of its', async () => {
  start({ costly: 15 });
  for (let i = 0; i < 20; i += 1) queue.addTable(session('costly'), 1);
  for (let i = 0; i < 20; i += 1) queue.addTable(session('a'), 1);
  for (let i = 0; i < 20; i += 1) queue.addTable(session('b'), 1);
  await waitFor(() => served.length === 60);
  const before = served.slice(0, Math.max(served.lastIndexOf('a'), served.lastIndexOf('b')));
  expect(before.filter((namespace) => namespace === 'costly').length).toBeLessThanOrEqual(2);
});

/** Counts the turns of the event loop, until it is called. */
function countTurns(): () => number {
  let [turns, isOver] = [0, false];
  const turn = (): void => {
    if (isOver) return;
    turns += 1;
    setImmediate(turn);
  };
  setImmediate(turn);
  return () => {
    isOver = true;
    return turns;
  };
}

test('what is made takes no turn of the event loop for longer than a frame', async () => {
  start({ costly: 15 });
  for (let i = 0; i < 20; i += 1) queue.addTable(session('costly'), 1);
  const turns = countTurns();
  await waitFor(() => served.length === 20);
  expect(turns()).toBeGreaterThanOrEqual(15);
});

test('a turn of the event loop has one slice, also where each slice brings more to send', async () => {
  start({ a: 11 });
  const sessions = Array.from({ length: 30 }, () => session('a'));
  let turn = 0;
  const slicesOfTurn = new Map<number, number>();
  onCaughtUp = () => {
    slicesOfTurn.set(turn, (slicesOfTurn.get(turn) ?? 0) + 1);
    const one = sessions[caughtUp];
    if (one !== undefined) queue.addTable(one, 1);
  };
  for (const one of sessions) queue.addTable(one, 1);
  let isOver = false;
  const next = (): void => {
    turn += 1;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  await waitFor(() => served.length >= sessions.length);
  isOver = true;
  // The count goes on before or after the slice: two slices may have the same number, and no more.
  expect(Math.max(...slicesOfTurn.values())).toBeLessThanOrEqual(2);
});

test('changes that come while a session waits are one; a whole table stands for all of them', async () => {
  start();
  const [one, two] = [session('a'), session('a')];
  queue.addChange(one, 1);
  queue.addChange(one, 2);
  expect(queue.revision(one)).toBe(2);
  queue.addChange(two, 1);
  queue.addTable(two, 2);
  queue.addChange(two, 3);
  expect(queue.revision(two)).toBe(3);
  await waitFor(() => dues.length === 2);
  expect(dues).toEqual([
    { kind: 'change', revision: 2 },
    { kind: 'table', revision: 3 },
  ]);
  expect(caughtUp).toBe(1);
});

test('a frame that takes long is made a little at a time: others get theirs in between, those of its namespace after it', async () => {
  const [first, second] = [session('large'), session('large')];
  const waitedFor: (number | undefined)[] = [];
  const onServed = (namespace: string): void => {
    if (namespace === 'large') queue.delete(second);
    if (served.length !== 3 || namespace !== 'a') return;
    // What comes while it is being made is sent after it.
    queue.addChange(first, 2);
    waitedFor.push(queue.revision(first));
  };
  start({}, onServed, { large: 100 });
  const turns = countTurns();
  queue.addTable(first, 1);
  queue.addTable(second, 1);
  for (let i = 0; i < 3; i += 1) queue.addTable(session('a'), 1);
  await waitFor(() => served.includes('large'));
  expect(waitedFor).toEqual([2]);
  expect(served.slice(0, 4)).toEqual(['a', 'a', 'a', 'large']);
  expect(turns()).toBeGreaterThanOrEqual(20);
  expect(caughtUp).toBeGreaterThanOrEqual(20);
  await waitFor(() => dues.length === 5);
  expect(dues.slice(3)).toEqual([
    { kind: 'table', revision: 1 },
    { kind: 'change', revision: 2 },
  ]);
});

test('a frame whose session is gone is not gone on with', async () => {
  start({}, undefined, { large: 100 });
  const gone = session('large');
  queue.addTable(gone, 1);
  onCaughtUp = () => {
    if (caughtUp === 2) queue.delete(gone);
  };
  await waitFor(() => caughtUp === 2);
  expect(queue.revision(gone)).toBeUndefined();
  await looks();
  queue.addTable(session('a'), 1);
  await waitFor(() => served.length === 1);
  expect(served).toEqual(['a']);
  expect(caughtUp).toBe(3);
});

test('a namespace that reads slowly keeps nobody else waiting', async () => {
  start();
  const mebibyte = 1024 * 1024;
  for (let i = 0; i < 20; i += 1) queue.addTable(session('slow', 16 * mebibyte), 1);
  await waitFor(() => served.length === 3); // 32 MiB, and the one that goes beyond
  for (let i = 0; i < 20; i += 1) queue.addTable(session('a', 1024), 1);
  // Before what was sent to the others no longer counts, after a second.
  await waitFor(() => served.filter((namespace) => namespace === 'a').length === 20);
  expect(served.filter((namespace) => namespace === 'slow').length).toBeLessThanOrEqual(3);
});

/** The queue has looked several times whether something has been read. */
async function looks(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 60));
}

test('a herd of namespaces has so much on the way and no more', async () => {
  start();
  const bytes = 16 * 1024 * 1024;
  for (let i = 0; i < 20; i += 1) queue.addTable(session(`n${i}`, bytes), 1);
  await waitFor(() => served.length > 0);
  nowMs = 999;
  await looks();
  expect(served).toHaveLength(5); // 64 MiB, and the one that goes beyond
  nowMs = 1_001;
  await looks();
  expect(served).toHaveLength(10);
});

test('a namespace that never reads holds so much memory and no more, and keeps nobody else waiting for long', async () => {
  start();
  const bytes = 16 * 1024 * 1024;
  for (let i = 0; i < 20; i += 1) queue.addTable(session('deaf', bytes), 1);
  for (let i = 0; i < 20; i += 1) queue.addTable(session('a'), 1);
  await waitFor(() => served.filter((namespace) => namespace === 'a').length === 20);
  for (let seconds = 1; seconds <= 10; seconds += 1) {
    nowMs += 1_001;
    await looks();
  }
  // 128 MiB, and the one that goes beyond.
  expect(served.filter((namespace) => namespace === 'deaf')).toHaveLength(9);
}, 20_000);

test('many namespaces that never read lose their oldest sessions; who has little unread, and for longer, does not', async () => {
  start();
  const mebibyte = 1024 * 1024;
  const cut: string[] = [];
  const reader = (namespace: string, bytes: number): TableSession => {
    const one = { namespace, queuedBytes: bytes, cut: () => cut.push(namespace) };
    return one as unknown as TableSession;
  };
  queue.addTable(reader('a', 1024), 1);
  for (let i = 0; i < 4; i += 1) queue.addTable(reader(`deaf${i}`, 140 * mebibyte), 1);
  const laterUntil = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) {
      nowMs += 1_001;
      await looks();
    }
  };
  await laterUntil(() => cut.length > 0);
  expect(cut).toEqual(['deaf0']);
  await laterUntil(() => served.length === 5);
}, 20_000);

test('what a namespace has used too much is owed while none of its sessions waits', async () => {
  start({}, (namespace) => {
    nowMs += namespace === 'costly' ? 9 : 1.1;
    if (namespace === 'costly' && served.length < 200)
      queueMicrotask(() => queue.addTable(session('costly'), 1));
  });
  queue.addTable(session('costly'), 1);
  for (let i = 0; i < 60; i += 1) queue.addTable(session('a'), 1);
  await waitFor(() => served.filter((namespace) => namespace === 'a').length === 60);
  const before = served.slice(0, served.lastIndexOf('a'));
  expect(before.filter((namespace) => namespace === 'costly').length).toBeLessThanOrEqual(10);
});

test('who was sent ten changes waits: what changes meanwhile is one, a whole table does not wait, nor does another session', async () => {
  start({}, undefined, {}, true);
  const [one, other] = [session('a'), session('b')];
  for (let revision = 1; revision <= 10; revision += 1) {
    queue.addChange(one, revision);
    await waitFor(() => dues.length === revision);
  }
  for (let revision = 11; revision < 18; revision += 1) queue.addChange(one, revision);
  expect(queue.revision(one)).toBe(17);
  queue.addChange(other, 17);
  await waitFor(() => dues.length === 11);
  nowMs = 99;
  await looks();
  expect(served.slice(10)).toEqual(['b']);
  nowMs = 100;
  await waitFor(() => dues.length === 12);
  expect(served.slice(10)).toEqual(['b', 'a']);
  expect(dues.at(-1)).toEqual({ kind: 'change', revision: 17 });

  queue.addChange(one, 18);
  queue.addTable(one, 19);
  await waitFor(() => dues.length === 13);
  expect(dues[12]).toEqual({ kind: 'table', revision: 19 });
  nowMs = 1_000;
  await looks();
  expect(dues).toHaveLength(13); // the table has the change
});

test('in the long run a session is sent ten changes a second, however many there are', async () => {
  start({}, undefined, {}, true);
  const one = session('a');
  let revision = 0;
  for (nowMs = 0; nowMs <= 1_000; nowMs += 5) {
    revision += 1;
    queue.addChange(one, revision);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  nowMs = 1_100;
  await waitFor(() => dues.at(-1)?.revision === revision);
  expect(dues.length).toBeLessThanOrEqual(10 + 11);
});

test('after a change that came to nothing nobody waits, nor does one who has gone', async () => {
  start();
  const one = session('a');
  for (let revision = 1; revision <= 30; revision += 1) {
    queue.addChange(one, revision);
    await waitFor(() => dues.length === revision);
  }

  queue.close();
  start({}, undefined, {}, true);
  for (let revision = 3; revision < 13; revision += 1) {
    queue.addChange(one, revision);
    await waitFor(() => dues.length === revision - 2);
  }
  queue.addChange(one, 13);
  queue.delete(one);
  nowMs = 1_000;
  await looks();
  expect(dues).toHaveLength(10);
  expect(queue.revision(one)).toBeUndefined();
});

test('in their namespace, those that have asked are served before those that have not', async () => {
  const inOrder: TableSession[] = [];
  const asking = new Set<TableSession>();
  const made = (): TableSession => {
    const one = {
      namespace: 'a',
      queuedBytes: 0,
      get hasQuestions() {
        return asking.has(one);
      },
    } as TableSession;
    return one;
  };
  queue = new SendQueue({
    catchUp: () => undefined,
    send: (one) => {
      inOrder.push(one);
      return 'done';
    },
  });
  const [first, second, third, fourth] = [made(), made(), made(), made()] as const;
  for (const one of [first, second, third]) queue.addTable(one, 1);
  asking.add(third);
  queue.addChange(third, 2);
  asking.add(fourth);
  queue.addChange(fourth, 2);
  queue.addChange(fourth, 3);
  expect([queue.revision(third), queue.revision(fourth)]).toEqual([2, 3]);
  await waitFor(() => inOrder.length === 4);
  expect(inOrder).toEqual([third, fourth, first, second]);
  queue.addChange(fourth, 4);
  queue.delete(fourth);
  expect(queue.revision(fourth)).toBeUndefined();
});

test('a session that is cut while it is sent something is not remembered', async () => {
  const mebibyte = 1024 * 1024;
  const cut = { namespace: 'a', queuedBytes: 400 * mebibyte, cut: vi.fn() };
  const gone = cut as unknown as TableSession;
  let sent = 0;
  queue = new SendQueue({
    catchUp: () => undefined,
    send: (one) => {
      sent += 1;
      if (one === gone) queue.delete(one);
      return 'change';
    },
  });
  queue.addTable(gone, 1);
  await waitFor(() => sent === 1);
  queue.addTable(session('b'), 1);
  await waitFor(() => sent === 2);
  expect(cut.cut).not.toHaveBeenCalled(); // more is unread than all may have: the oldest would be cut
});
