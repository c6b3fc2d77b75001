/** The truth table of what is in force: every state that events can lead to, and every event in it. */
import { describe, expect, test } from 'vitest';
import {
  blockers,
  effects,
  type InForce,
  type InForceEvent,
  NOTHING_IN_FORCE,
  next,
  type Phase,
  phase,
} from '../../../../sidecar/in_force/in_force.ts';

/** Events by short names. Tables 7, 8, … are the changes 1, 2, … */
const table = (revision: number, isolatesEgress = false): InForceEvent => ({
  event: 'table',
  revision,
  isolatesEgress,
});
const gate = (change: number, revision = change + 6): InForceEvent => ({
  event: 'gate-in-force',
  change,
  revision,
});
const refused: InForceEvent = { event: 'gate-failed', rules: 'stay', problem: 'nft says no' };
const gone: InForceEvent = { event: 'gate-failed', rules: 'gone', problem: 'somebody took its rules out' };
const noNft = (rules: 'stay' | 'gone' = 'gone'): InForceEvent => ({
  event: 'gate-unavailable',
  rules,
  problem: 'no nft',
});
const cut = (change: number): InForceEvent => ({ event: 'cut', change });
const kept = (change: number): InForceEvent => ({ event: 'kept', change });
const intact: InForceEvent = { event: 'redirect', problem: undefined };
const astray: InForceEvent = { event: 'redirect', problem: 'no rule' };

/** All of table 7 is in force. */
const ALL: readonly InForceEvent[] = [intact, table(7), gate(1), cut(1), kept(1)];
/** Without nft. */
const ALL_WITHOUT_NFT: readonly InForceEvent[] = [intact, table(7), noNft(), cut(1), kept(1)];

const after = (...events: readonly InForceEvent[]): InForce => events.reduce(next, NOTHING_IN_FORCE);

/** What the injector has been sent at the end. */
function said(events: readonly InForceEvent[]): readonly number[] {
  const words: number[] = [];
  let state = NOTHING_IN_FORCE;
  for (const event of events) {
    const following = next(state, event);
    for (const one of effects(state, following)) if (one.effect === 'acknowledge') words.push(one.revision);
    state = following;
  }
  return words;
}

interface Row {
  readonly what: string;
  readonly events: readonly InForceEvent[];
  readonly phase: Phase;
  readonly gate: InForce['gate']['state'];
  /** Everything that the injector was sent, in order. */
  readonly said: readonly number[];
  /** Names of the blockers. */
  readonly blocked: readonly string[];
}

const ROWS: readonly Row[] = [
  {
    what: 'the start',
    events: [],
    phase: 'nothing',
    gate: 'closed',
    said: [],
    blocked: ['table', 'redirect'],
  },
  {
    what: 'no table, redirect intact',
    events: [intact],
    phase: 'nothing',
    gate: 'closed',
    said: [],
    blocked: ['table'],
  },
  {
    what: 'no table, rules gone',
    events: [intact, gone],
    phase: 'nothing',
    gate: 'gone',
    said: [],
    blocked: ['table', 'gate'],
  },
  {
    what: 'no table, closed rules back',
    events: [intact, gone, { event: 'gate-closed' }],
    phase: 'nothing',
    gate: 'closed',
    said: [],
    blocked: ['table'],
  },
  {
    what: 'no table, no nft',
    events: [intact, noNft()],
    phase: 'nothing',
    gate: 'unavailable',
    said: [],
    blocked: ['table'],
  },
  {
    what: 'a first table',
    events: [intact, table(7)],
    phase: 'proxy-only',
    gate: 'closed',
    said: [],
    blocked: ['gate'],
  },
  {
    what: '… the gate has it',
    events: [intact, table(7), gate(1)],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [],
    blocked: ['cut'],
  },
  {
    what: '… what it forbids is cut',
    events: [intact, table(7), gate(1), cut(1)],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [],
    blocked: ['disk'],
  },
  { what: '… it is on disk', events: ALL, phase: 'all', gate: 'in-force', said: [7], blocked: [] },
  {
    what: 'all but the redirect',
    events: [table(7), gate(1), cut(1), kept(1)],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [],
    blocked: ['redirect'],
  },
  {
    what: '… which follows',
    events: [table(7), gate(1), cut(1), kept(1), intact],
    phase: 'all',
    gate: 'in-force',
    said: [7],
    blocked: [],
  },
  {
    what: '… or is lost at the first look',
    events: [table(7), gate(1), cut(1), kept(1), astray],
    phase: 'less',
    gate: 'in-force',
    said: [],
    blocked: ['redirect'],
  },
  {
    what: 'a first table that nft refuses',
    events: [intact, table(7), refused],
    phase: 'proxy-only',
    gate: 'old-rules',
    said: [],
    blocked: ['gate'],
  },
  {
    what: 'a first table, and the closed rules are gone',
    events: [intact, table(7), gone],
    phase: 'less',
    gate: 'gone',
    said: [],
    blocked: ['gate'],
  },

  {
    what: 'a second table: the word for the first still holds',
    events: [...ALL, table(8)],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [7],
    blocked: [],
  },
  {
    what: '… that goes all the way',
    events: [...ALL, table(8), gate(2), cut(2), kept(2)],
    phase: 'all',
    gate: 'in-force',
    said: [7, 8],
    blocked: [],
  },
  {
    what: '… that nft refuses: the rules of the first stay',
    events: [...ALL, table(8), refused],
    phase: 'proxy-only',
    gate: 'old-rules',
    said: [7],
    blocked: ['gate'],
  },
  {
    what: '… at last taken',
    events: [...ALL, table(8), refused, gate(2), cut(2), kept(2)],
    phase: 'all',
    gate: 'in-force',
    said: [7, 8],
    blocked: [],
  },
  {
    what: '… and the rules of the first are gone',
    events: [...ALL, table(8), gone],
    phase: 'less',
    gate: 'gone',
    said: [7, 0],
    blocked: ['gate'],
  },
  {
    what: 'late news of the first table',
    events: [...ALL, table(8), gate(1), cut(1), kept(1)],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [7],
    blocked: [],
  },
  {
    what: 'the same revision from another injector goes all the way again',
    events: [...ALL, table(7), cut(1), kept(1)],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [7],
    blocked: [],
  },
  {
    what: '… and gets a word of its own',
    events: [...ALL, table(7), gate(2, 7), cut(2), kept(2)],
    phase: 'all',
    gate: 'in-force',
    said: [7, 7],
    blocked: [],
  },

  {
    what: 'the rules go',
    events: [...ALL, gone],
    phase: 'less',
    gate: 'gone',
    said: [7, 0],
    blocked: ['gate'],
  },
  {
    what: '… and nft fails',
    events: [...ALL, gone, gone],
    phase: 'less',
    gate: 'gone',
    said: [7, 0],
    blocked: ['gate'],
  },
  {
    what: '… and nft is no more',
    events: [...ALL, gone, noNft()],
    phase: 'less',
    gate: 'gone',
    said: [7, 0],
    blocked: ['gate'],
  },
  {
    what: '… are put in again: what came meanwhile is cut first',
    events: [...ALL, gone, gate(1)],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [7, 0],
    blocked: ['cut'],
  },
  {
    what: '… then all is in force again',
    events: [...ALL, gone, gate(1), cut(1), kept(1)],
    phase: 'all',
    gate: 'in-force',
    said: [7, 0, 7],
    blocked: [],
  },
  {
    what: '… between the cut and the disk',
    events: [intact, table(7), gate(1), cut(1), gone, kept(1)],
    phase: 'less',
    gate: 'gone',
    said: [],
    blocked: ['gate'],
  },
  {
    what: 'nft disappears: the rules stay',
    events: [...ALL, table(8), noNft('stay')],
    phase: 'proxy-only',
    gate: 'old-rules',
    said: [7],
    blocked: ['gate'],
  },

  {
    what: 'the redirect goes',
    events: [...ALL, astray],
    phase: 'less',
    gate: 'in-force',
    said: [7, 0],
    blocked: ['redirect'],
  },
  {
    what: '… and is back',
    events: [...ALL, astray, intact],
    phase: 'all',
    gate: 'in-force',
    said: [7, 0, 7],
    blocked: [],
  },
  {
    what: '… a table comes meanwhile',
    events: [...ALL, astray, table(8), gate(2), cut(2), kept(2)],
    phase: 'less',
    gate: 'in-force',
    said: [7, 0],
    blocked: ['redirect'],
  },
  {
    what: '… and then it is back',
    events: [...ALL, astray, table(8), gate(2), cut(2), kept(2), intact],
    phase: 'all',
    gate: 'in-force',
    said: [7, 0, 8],
    blocked: [],
  },
  {
    what: '… it is back before the table is all the way',
    events: [...ALL, astray, table(8), gate(2), intact],
    phase: 'proxy-only',
    gate: 'in-force',
    said: [7, 0],
    blocked: ['cut'],
  },
  {
    what: 'both go, one is back',
    events: [...ALL, astray, gone, intact],
    phase: 'less',
    gate: 'gone',
    said: [7, 0],
    blocked: ['gate'],
  },

  {
    what: 'without nft, rules that never were are missed before nft is',
    events: [intact, gone, table(7), noNft()],
    phase: 'proxy-only',
    gate: 'unavailable',
    said: [],
    blocked: ['cut'],
  },
  {
    what: 'without nft, rules of the process before stay',
    events: [intact, table(7), noNft('stay')],
    phase: 'proxy-only',
    gate: 'old-rules',
    said: [],
    blocked: ['gate'],
  },
  {
    what: 'without nft, a first table',
    events: [intact, table(7), noNft()],
    phase: 'proxy-only',
    gate: 'unavailable',
    said: [],
    blocked: ['cut'],
  },
  {
    what: '… the same steps come before the word',
    events: [intact, table(7), noNft(), cut(1)],
    phase: 'proxy-only',
    gate: 'unavailable',
    said: [],
    blocked: ['disk'],
  },
  {
    what: '… then it is given',
    events: ALL_WITHOUT_NFT,
    phase: 'all',
    gate: 'unavailable',
    said: [7],
    blocked: [],
  },
  {
    what: '… rules that never were cannot go',
    events: [...ALL_WITHOUT_NFT, gone],
    phase: 'all',
    gate: 'unavailable',
    said: [7],
    blocked: [],
  },
  {
    what: '… egress is enforced by nobody',
    events: [intact, table(7, true), noNft()],
    phase: 'less',
    gate: 'unavailable',
    said: [],
    blocked: ['gate'],
  },
  {
    what: '… not even after a table that left it alone',
    events: [...ALL_WITHOUT_NFT, table(8, true)],
    phase: 'less',
    gate: 'unavailable',
    said: [7, 0],
    blocked: ['gate'],
  },
  {
    what: '… nft comes after all',
    events: [intact, table(7, true), noNft(), gate(1), cut(1), kept(1)],
    phase: 'all',
    gate: 'in-force',
    said: [7],
    blocked: [],
  },
];

test.each(ROWS)('$what', ({ events, phase: expected, gate: rules, said: words, blocked }) => {
  const state = after(...events);
  expect(phase(state)).toBe(expected);
  expect(state.gate.state).toBe(rules);
  expect(said(events)).toEqual(words);
  expect(state.acknowledged).toBe(words.at(-1) ?? 0);
  expect(blockers(state).map(({ name }) => name)).toEqual(blocked);
});

describe('in every state that events lead to', () => {
  const EVENTS: readonly InForceEvent[] = [
    table(7),
    table(8, true),
    ...[1, 2].flatMap((change) => [gate(change), cut(change), kept(change)]),
    { event: 'gate-closed' },
    refused,
    gone,
    noNft('stay'),
    noNft('gone'),
    intact,
    astray,
  ];
  /** Two tables at most, so that there is an end. */
  const reached = new Map<string, { readonly state: InForce; readonly path: readonly InForceEvent[] }>();
  const open: { readonly state: InForce; readonly path: readonly InForceEvent[] }[] = [
    { state: NOTHING_IN_FORCE, path: [] },
  ];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    const key = JSON.stringify(one.state);
    if (reached.has(key)) continue;
    reached.set(key, one);
    for (const event of EVENTS) {
      if (event.event === 'table' && one.state.table?.change === 2) continue;
      open.push({ state: next(one.state, event), path: [...one.path, event] });
    }
  }
  const steps = [...reached.values()].flatMap(({ state }) =>
    EVENTS.map((event) => ({ state, event, following: next(state, event) })),
  );

  test('there are many', () => {
    expect(reached.size).toBeGreaterThan(200);
  });

  test('what is acknowledged is the table in force, or the one before while that one is on its way', () => {
    for (const { state } of reached.values()) {
      const now = phase(state);
      if (now === 'all') expect(state.acknowledged).toBe(state.table?.revision);
      if (now === 'less' || now === 'nothing') expect(state.acknowledged).toBe(0);
    }
  });

  test('a word is sent exactly when the injector has to learn something', () => {
    for (const { state, following } of steps) {
      const words = effects(state, following).flatMap((one) =>
        one.effect === 'acknowledge' ? [one.revision] : [],
      );
      const entersAll = phase(following) === 'all' && phase(state) !== 'all';
      const loses = following.acknowledged === 0 && state.acknowledged !== 0;
      expect(words).toEqual(entersAll ? [following.table?.revision] : loses ? [0] : []);
    }
  });

  test('a loss always takes the word back, and blocks', () => {
    for (const { event, following } of steps) {
      if (following.table === undefined || following.gate.state === 'unavailable') continue;
      const isLoss =
        (event.event === 'gate-failed' && event.rules === 'gone') ||
        (event.event === 'redirect' && event.problem !== undefined);
      if (!isLoss) continue;
      expect(phase(following)).toBe('less');
      expect(following.acknowledged).toBe(0);
      expect(blockers(following)).not.toHaveLength(0);
    }
  });

  test('a pod without blockers has the word for a table, and the other way round but for a refused one', () => {
    for (const { state } of reached.values()) {
      const isReady = blockers(state).length === 0;
      const isEnforced = state.acknowledged !== 0 && state.gate.state !== 'old-rules';
      expect(isReady).toBe(isEnforced);
    }
  });

  test('each table is programmed once, and cut and kept in that order before the word', () => {
    for (const { path } of reached.values()) {
      let state = NOTHING_IN_FORCE;
      let order: string[] = [];
      for (const event of path) {
        const following = next(state, event);
        for (const one of effects(state, following)) {
          if (one.effect === 'program') order = ['program'];
          if (one.effect === 'cut' || one.effect === 'keep') order.push(one.effect);
          if (one.effect === 'acknowledge' && one.revision !== 0)
            expect(order.slice(-2)).toEqual(['cut', 'keep']);
        }
        state = following;
      }
    }
  });
});
