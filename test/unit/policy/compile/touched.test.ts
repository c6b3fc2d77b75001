/** `commit` names the followed pods whose tables may have changed, and no pod for nothing. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveGroup } from '../../../../policy/compile/live_group.ts';
import {
  type Compiler,
  createCompiler,
  type NetworkPolicy,
  type Pod,
  parseNetworkPolicy,
  parsePod,
} from '../../../../policy/index.ts';
import { accepted, apiNamespace, apiPod, apiPolicy, readCluster } from '../../../builders/api_objects.ts';

const KEYS = ['shop/api', 'shop/web', 'other/x'];

function podOf(key: string, options: Parameters<typeof apiPod>[1]): Pod {
  return accepted(parsePod(apiPod(key, options)));
}

function policyOf(key: string, spec: Parameters<typeof apiPolicy>[1]): NetworkPolicy {
  return accepted(parseNetworkPolicy(apiPolicy(key, spec)));
}

let compiler: Compiler;

beforeEach(() => {
  compiler = createCompiler(
    readCluster({
      namespaces: [apiNamespace('shop'), apiNamespace('other', { team: 'x' })],
      pods: [
        apiPod('shop/api', { labels: { app: 'api' }, ips: ['10.0.0.1'] }),
        apiPod('shop/web', { labels: { app: 'web' }, ips: ['10.0.0.2'] }),
        apiPod('other/x', { labels: { app: 'x' }, ips: ['10.0.0.3'] }),
      ],
      policies: [
        apiPolicy('shop/a', {
          podSelector: { matchLabels: { app: 'api' } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
        }),
        apiPolicy('shop/b', {
          podSelector: { matchLabels: { app: 'web' } },
          policyTypes: ['Egress'],
          egress: [
            {
              to: [{ namespaceSelector: { matchLabels: { team: 'x' } } }],
              ports: [{ port: 'http' }],
            },
          ],
        }),
      ],
    }),
  );
  for (const key of KEYS) {
    compiler.follow(key);
    compiler.compile(key, 1);
  }
});

/** Applies pods, and says what the commit names; the tables of all that have one are taken. */
function touchedBy(...pods: readonly (readonly [key: string, object: Pod | undefined])[]): string[] {
  for (const [key, object] of pods) compiler.apply({ kind: 'Pod', key, object });
  const { touched } = compiler.commit();
  for (const key of touched) if (compiler.cluster.pods.has(key)) compiler.compile(key, 2);
  return [...touched].sort();
}

describe('the tables that a commit names', () => {
  it('are those with a group that has another member', () => {
    expect(
      touchedBy(['shop/web2', podOf('shop/web2', { labels: { app: 'web' }, ips: ['10.0.0.9'] })]),
    ).toEqual(['shop/api']);
    expect(touchedBy(['shop/db', podOf('shop/db', { labels: { app: 'db' }, ips: ['10.0.0.8'] })])).toEqual(
      [],
    );
  });

  it('are those whose rules ask for the named ports of a pod that has others', () => {
    const x = (containerPort: number) =>
      podOf('other/x', { labels: { app: 'x' }, ips: ['10.0.0.3'], ports: [{ name: 'http', containerPort }] });
    expect(touchedBy(['other/x', x(80)])).toEqual(['other/x', 'shop/web']);
    expect(touchedBy(['other/x', x(81)])).toEqual(['other/x', 'shop/web']);
    const { groups } = compiler.compile('shop/web', 3);
    const [group] = [...groups.values()].filter(({ ports }) => ports !== undefined);
    expect(group?.ports?.get('10.0.0.3')).toMatchObject([{ port: 81 }]);
  });

  it('are none for a pod with other labels that stays where it is, but its own', () => {
    const web = podOf('shop/web', { labels: { app: 'web', tier: 'a' }, ips: ['10.0.0.2'] });
    expect(touchedBy(['shop/web', web])).toEqual(['shop/web']);
  });

  it('are none for a change that is undone before the commit', () => {
    const [own, other] = ['web', 'db'].map((app) =>
      podOf('shop/web', { labels: { app }, ips: ['10.0.0.2'] }),
    );
    expect(touchedBy(['shop/web', other], ['shop/web', own]).filter((key) => key !== 'shop/web')).toEqual([]);
  });

  it('are named until they are asked for where the pod or its rules changed', () => {
    const api = podOf('shop/api', { labels: { app: 'api', tier: 'a' }, ips: ['10.0.0.1'] });
    compiler.apply({ kind: 'Pod', key: 'shop/api', object: api });
    for (let commit = 0; commit < 2; commit += 1)
      expect([...compiler.commit().touched]).toEqual(['shop/api']);
    expect(compiler.isBehind('shop/api')).toBe(true);
    compiler.compile('shop/api', 2);
    expect(compiler.isBehind('shop/api')).toBe(false);
    expect(compiler.commit().touched.size).toBe(0);
  });

  it('have a pod once that is gone or has ended, though nobody asks for its table', () => {
    expect(touchedBy(['shop/api', undefined])).toEqual(['shop/api']);
    expect(compiler.isBehind('shop/api')).toBe(false);
    expect(compiler.knows('shop/api', '10.0.0.2')).toBe(false);
    const ended = podOf('shop/web', { labels: { app: 'web' }, ips: ['10.0.0.2'], phase: 'Succeeded' });
    compiler.apply({ kind: 'Pod', key: 'shop/web', object: ended });
    expect([...compiler.commit().touched]).toEqual(['shop/web']);
    // Members of what was in their tables come and go.
    expect(touchedBy(['other/x', undefined])).toEqual(['other/x']);
    const api = podOf('shop/api', { labels: { app: 'api' }, ips: ['10.0.0.1'] });
    expect(touchedBy(['shop/api', api])).toEqual(['shop/api']);
    expect(compiler.compile('shop/api', 3).ingress.isolating).toHaveLength(1);
  });

  it('keep a group that no policy needs any more until they are made again, and have a new one of that name', () => {
    const before = compiler.compile('shop/api', 1);
    const policy = (object: NetworkPolicy | undefined) =>
      compiler.apply({ kind: 'NetworkPolicy', key: 'shop/a', object });
    policy(undefined);
    expect([...compiler.commit().touched]).toEqual(['shop/api']);
    // It has no turn: the group is gone from the cluster, and whole in the table that was made.
    expect([...before.groups.values()].map(({ members }) => [...members.keys()])).toEqual([['10.0.0.2']]);
    compiler.apply({
      kind: 'Pod',
      key: 'shop/web2',
      object: podOf('shop/web2', { labels: { app: 'web' }, ips: ['10.0.0.9'] }),
    });
    expect([...compiler.commit().touched]).toEqual(['shop/api']);
    policy(
      policyOf('shop/a', {
        podSelector: { matchLabels: { app: 'api' } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
      }),
    );
    expect([...compiler.commit().touched]).toEqual(['shop/api']);
    const after = compiler.compile('shop/api', 2);
    expect([...after.groups.values()].map(({ members }) => [...members.keys()].sort())).toEqual([
      ['10.0.0.2', '10.0.0.9'],
    ]);
    expect(after.policies.get('shop/a')).toBe(before.policies.get('shop/a'));
  });
});

describe('large groups', () => {
  const pods = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) =>
      apiPod(`shop/p${from + i}`, { labels: { app: 'web' }, ips: [addressOf(from + i)] }),
    );
  const policies = [
    apiPolicy('shop/a', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
    }),
  ];
  const api = (name: string, ip: string) => apiPod(name, { labels: { app: 'api' }, ips: [ip] });
  const addressOf = (place: number) => `10.1.${place >> 8}.${place & 255}`;
  const change = (from: number, to: number, isThere: boolean) => {
    for (const pod of pods(from, to)) {
      const key = `shop/${pod.metadata.name}`;
      compiler.apply({ kind: 'Pod', key, object: isThere ? accepted(parsePod(pod)) : undefined });
    }
  };
  const found = () => {
    const { touched, movedInLarge } = compiler.commit();
    return [[...touched].sort(), [...movedInLarge].sort()];
  };

  it('touch the tables that need every member, and name the others the addresses; all where it becomes large or is no longer', () => {
    const own = [api('shop/one', '10.0.0.1'), api('shop/other', '10.0.0.2')];
    const cluster = readCluster({
      namespaces: [apiNamespace('shop')],
      pods: [...own, ...pods(0, 4)],
      policies,
    });
    compiler = createCompiler(cluster, { largeGroup: 4 });
    const both = ['shop/one', 'shop/other'];
    for (const key of both) compiler.follow(key);
    compiler.needsWholeGroups('shop/one', false);
    const [id = ''] = compiler.compile('shop/one', 1).groups.keys();
    expect(compiler.isLarge(id)).toBe(false);
    change(4, 5, true);
    expect(found()).toEqual([both, []]);
    expect(compiler.isLarge(id)).toBe(true);
    expect(compiler.isInLarge('shop/one', addressOf(4))).toBe(true);
    expect(compiler.isInLarge('shop/one', '10.0.0.2')).toBe(false);
    change(4, 6, true);
    expect(found()).toEqual([['shop/other'], [addressOf(5)]]);
    compiler.needsWholeGroups('shop/one', true);
    change(3, 6, false);
    expect(found()).toEqual([both, [3, 4, 5].map(addressOf)]);
    change(2, 3, false);
    expect(found()).toEqual([both, []]);
    expect(compiler.isLarge(id)).toBe(false);
    compiler.unfollow('shop/one');
    compiler.follow('shop/one');
    change(2, 3, true);
    expect(found()).toEqual([both, []]);
  });

  it('never are the one whose ports are asked for by rules without it: no rule would name a member that is asked about', () => {
    const named = { ports: [{ port: 'http' }] };
    const cluster = readCluster({
      namespaces: [apiNamespace('shop')],
      pods: [api('shop/one', '10.0.0.1'), ...pods(0, 6)],
      policies: [
        apiPolicy('shop/b', { podSelector: {}, policyTypes: ['Egress'], egress: [named] }),
        apiPolicy('shop/c', {
          podSelector: {},
          policyTypes: ['Egress'],
          egress: [{ ...named, to: [{ podSelector: {} }] }],
        }),
      ],
    });
    compiler = createCompiler(cluster, { largeGroup: 4 });
    compiler.follow('shop/one');
    compiler.needsWholeGroups('shop/one', false);
    const large = [...compiler.compile('shop/one', 1).groups.keys()].filter((id) => compiler.isLarge(id));
    expect(large).toEqual(['pods(*) in namespace shop with ports']);
    change(6, 7, true);
    expect(found()).toEqual([['shop/one'], [addressOf(6)]]);
  });

  it('are looked for once, however many addresses are asked about, until the cluster changes', () => {
    const apps = Array.from({ length: 50 }, (_, place) => `app${place}`);
    const ingress = ['web', ...apps].map((app) => ({ from: [{ podSelector: { matchLabels: { app } } }] }));
    const cluster = readCluster({
      namespaces: [apiNamespace('shop')],
      pods: [api('shop/one', '10.0.0.1'), ...pods(0, 4)],
      policies: [apiPolicy('shop/a', { podSelector: {}, ingress })],
    });
    compiler = createCompiler(cluster, { largeGroup: 4 });
    compiler.follow('shop/one');
    const looked = vi.spyOn(LiveGroup.prototype, 'isLarge', 'get');
    const asked = () => Array.from({ length: 100 }, (_, i) => compiler.isInLarge('shop/one', addressOf(i)));
    expect(asked().filter(Boolean)).toHaveLength(0);
    expect(looked.mock.calls.length).toBeLessThanOrEqual(51);
    change(4, 6, true);
    expect(asked().filter(Boolean)).toHaveLength(6);
    compiler.commit();
    looked.mockClear();
    expect(asked().filter(Boolean)).toHaveLength(6);
    expect(looked.mock.calls.length).toBeLessThanOrEqual(51);
    looked.mockRestore();
  });

  it('are found bit by bit, and the policies that need them are in force when all members are', () => {
    const own = [api('shop/one', '10.0.0.1')];
    compiler = createCompiler(
      readCluster({ namespaces: [apiNamespace('shop')], pods: [...own, ...pods(0, 10_000)] }),
    );
    compiler.follow('shop/one');
    const [policy] = policies;
    compiler.apply({
      kind: 'NetworkPolicy',
      key: 'shop/a',
      object: policy && accepted(parseNetworkPolicy(policy)),
    });
    let commits = 1;
    for (; compiler.commit(() => false).touched.size === 0; commits += 1) {
      expect([...compiler.waiting]).toEqual(['shop']);
      expect(compiler.isBehind('shop/one')).toBe(true);
      change(commits - 1, commits, false); // one that has had its turn
      change(9_999 + commits, 10_000 + commits, true);
    }
    expect([...compiler.waiting]).toEqual([]);
    expect(commits).toBeGreaterThan(3);
    const [group] = compiler.compile('shop/one', 2).groups.values();
    const expected = pods(commits - 1, 9_999 + commits).map(({ status }) => status.podIPs?.[0]?.ip);
    expect([...(group?.members.keys() ?? [])].sort()).toEqual(expected.sort());
    // What nobody needs any more is let go, also where it was never finished.
    compiler.apply({ kind: 'NetworkPolicy', key: 'shop/a', object: undefined });
    compiler.commit(() => false);
    expect(compiler.compile('shop/one', 3).groups.size).toBe(0);
  });
});
