/** Tables: what is in them, what they share, how they change, and what is refused. */

import { describe, expect, it } from 'vitest';
import {
  applyChange,
  compile,
  createCompiler,
  createJudge,
  parseNetworkPolicy,
  parseService,
  readInjectorFrame,
  readSidecarFrame,
  readTable,
  TABLE_SCHEMA,
  type Table,
  type TableChange,
  tableJson,
} from '../../../../policy/index.ts';
import {
  type ApiCluster,
  accepted,
  apiNamespace,
  apiPod,
  apiPolicy,
  apiService,
  readCluster,
} from '../../../builders/api_objects.ts';
import { changeOf, expectSameTable, overTheWire, saidBy } from '../table_updates.ts';

const FROM_WEB = { from: [{ podSelector: { matchLabels: { app: 'web' } } }] };

function objects({
  webLabel = 'web',
  ...more
}: Partial<ApiCluster> & { webLabel?: string } = {}): ApiCluster {
  return {
    namespaces: [apiNamespace('shop')],
    pods: [
      apiPod('shop/api', { labels: { app: 'api' }, ips: ['10.0.0.1'], hostIP: '192.168.0.1' }),
      apiPod('shop/web', { labels: { app: webLabel }, ips: ['10.0.0.2', 'fd00::2'] }),
      apiPod('shop/web2', { labels: { app: 'web' }, ips: ['10.0.0.3'] }),
      apiPod('shop/host', { ips: ['192.168.0.1'], hostNetwork: true }),
      apiPod('shop/done', { ips: ['10.0.0.9'], phase: 'Succeeded' }),
    ],
    policies: [
      apiPolicy('shop/a', { podSelector: { matchLabels: { app: 'api' } }, ingress: [FROM_WEB] }),
      apiPolicy('shop/b', { egress: [{ to: FROM_WEB.from, ports: [{ port: 'http' }] }] }),
    ],
    ...more,
  };
}

function tableOf(cluster: ApiCluster, revision = 1): Table {
  return compile(readCluster(cluster), 'shop/api', revision);
}

const GROUP = 'pods(app=web) in namespace shop';

/** The group of an egress rule to a named port: it has its members' ports. */
const GROUP_WITH_PORTS = `${GROUP} with ports`;

/** What makes each member of the group another pod, or the same. */
const TAGS = { '10.0.0.2': 'shop/web', '10.0.0.3': 'shop/web2', 'fd00::2': 'shop/web' };

/** The addresses in a table's groups, each once. */
function membersOf({ groups }: Table): string[] {
  const members = [...groups.values()].flatMap((group) => [...group.members.keys()]);
  return [...new Set(members)].sort();
}

describe('a table', () => {
  it('holds its own pod, its rules and their groups', () => {
    expect(saidBy(tableOf(objects(), 7))).toMatchObject({
      schema: TABLE_SCHEMA,
      revision: 7,
      subject: {
        namespace: 'shop',
        name: 'api',
        ips: ['10.0.0.1'],
        nodeIPs: ['192.168.0.1'],
        workload: 'pod/api',
        labels: { app: 'api' },
      },
      policies: { 'shop/a': { policy: { name: 'a' }, ingress: [{ index: 0 }] }, 'shop/b': { ingress: [] } },
      order: ['shop/a', 'shop/b'],
      ingress: {
        isolating: [{ name: 'a' }, { name: 'b' }],
        rules: [{ policy: { name: 'a' }, index: 0, peers: [{ kind: 'group', group: GROUP }], ports: [] }],
      },
      egress: {
        isolating: [{ name: 'b' }],
        rules: [
          {
            ports: [{ protocol: 'TCP', name: 'http' }],
            peers: [{ kind: 'group', group: GROUP_WITH_PORTS }],
          },
        ],
      },
      groups: {
        [GROUP]: { namespace: 'shop', members: TAGS },
        [GROUP_WITH_PORTS]: { namespace: 'shop', members: TAGS, ports: {} },
      },
    });
  });

  it('holds the addresses of the pods in its groups and nobody else’s; who has an address is asked', () => {
    const others = [
      apiPod('shop/db', { ips: ['10.0.0.8'] }),
      apiPod('other/web', { labels: { app: 'web' }, ips: ['10.0.1.1'] }),
    ];
    const cluster = readCluster(objects({ pods: [...(objects().pods ?? []), ...others] }));
    const compiler = createCompiler(cluster);
    const table = compiler.compile('shop/api', 1);
    expect(membersOf(table)).toEqual(['10.0.0.2', '10.0.0.3', 'fd00::2']);
    expect(JSON.stringify(tableJson(table))).not.toContain('pod/web');
    expect(compiler.identify('10.0.0.2')).toEqual({
      pod: {
        namespace: 'shop',
        name: 'web',
        workload: 'pod/web',
        labels: { app: 'web' },
        namespaceLabels: { 'kubernetes.io/metadata.name': 'shop' },
        ports: [],
      },
      tag: 'shop/web',
    });
    expect(compiler.identify('10.0.0.8')?.pod.name).toBe('db');
    expect(compiler.identify('10.0.0.88')).toBeUndefined();
  });

  it('holds no address of host-network and finished pods', () => {
    const everybody = apiPolicy('shop/all', { ingress: [{ from: [{ namespaceSelector: {} }] }] });
    const members = membersOf(tableOf(objects({ policies: [everybody] })));
    expect(members).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::2']);
  });

  it('tells pods apart by the beginning of their UIDs', () => {
    const uid = '0f0e5a9e-3c1b-4d2a-9b7e-2a7c9d1e0f11';
    const pods = [apiPod('shop/x', { labels: { app: 'web' }, ips: ['10.0.0.7'], uid })];
    expect(
      tableOf(objects({ pods: [...(objects().pods ?? []), ...pods] }))
        .groups.get(GROUP)
        ?.members.get('10.0.0.7'),
    ).toBe('0f0e5a9e3c1b4d2a');
  });

  it('has its policies in the order of their names, which decides which rule is named', () => {
    const names = ['b', 'a.b', 'a-b', 'a', '0'];
    const policies = names.map((name) => apiPolicy(`shop/${name}`, { ingress: [{}] }));
    const table = tableOf(objects({ policies }));
    const order = [...names].sort();
    expect([...table.policies.keys()]).toEqual(order.map((name) => `shop/${name}`));
    for (const one of [table, overTheWire(table)]) {
      expect(one.ingress.isolating.map(({ name }) => name)).toEqual(order);
      expect(createJudge(one).judge('ingress', '203.0.113.7', 'TCP', 1)).toMatchObject({
        reason: 'rule',
        policy: { name: '0' },
      });
    }
  });

  it('shares its rules with pods that differ in ports which no rule asks for', () => {
    const ports = (own: number) => [
      { name: 'http', containerPort: 8080 },
      { name: `own${own}`, containerPort: own },
    ];
    const compiler = createCompiler(
      readCluster({
        pods: [1, 2].map((i) => apiPod(`shop/p${i}`, { ips: [`10.0.0.${i}`], ports: ports(i) })),
        policies: [apiPolicy('shop/p', { podSelector: {}, ingress: [{ ports: [{ port: 'http' }] }] })],
      }),
    );
    const [one, two] = [compiler.compile('shop/p1', 1), compiler.compile('shop/p2', 1)];
    expect(one.ingress.rules[0]?.ports).toEqual([{ protocol: 'TCP', from: 8080, to: 8080, name: 'http' }]);
    expect(two.ingress).toBe(one.ingress);
  });

  it('still shares them after an edit of their policy, and keeps the direction that is not edited', () => {
    const policy = (port: number) =>
      accepted(
        parseNetworkPolicy(
          apiPolicy('shop/p', {
            podSelector: {},
            policyTypes: ['Ingress', 'Egress'],
            ingress: [{ ports: [{ port }] }],
            egress: [{ ports: [{ port: 53 }] }],
          }),
        ),
      );
    const compiler = createCompiler(
      readCluster({ pods: [1, 2].map((i) => apiPod(`shop/p${i}`, { ips: [`10.0.0.${i}`] })) }),
    );
    const keys = ['shop/p1', 'shop/p2'];
    for (const key of keys) compiler.follow(key);
    const edit = (port: number) => {
      compiler.apply({ kind: 'NetworkPolicy', key: 'shop/p', object: policy(port) });
      expect([...compiler.commit().touched].sort()).toEqual(keys);
      return keys.map((key) => compiler.compile(key, port));
    };
    const [before] = edit(80);
    const [one, two] = edit(81);
    expect(one?.ingress.rules).toMatchObject([{ ports: [{ from: 81 }] }]);
    expect(one?.egress).toBe(before?.egress);
    for (const part of ['policies', 'ingress', 'egress', 'groups', 'services'] as const)
      expect(two?.[part]).toBe(one?.[part]);
  });

  it('holds the named ports of peers, which egress rules resolve', () => {
    const ports = [{ name: 'http', containerPort: 80 }, { containerPort: 81 }];
    const pods = [
      ...(objects().pods ?? []),
      apiPod('shop/x', { labels: { app: 'web' }, ips: ['10.0.0.7'], ports }),
    ];
    const { groups } = tableOf(objects({ pods }));
    expect([...(groups.get(GROUP_WITH_PORTS)?.ports ?? [])]).toEqual([
      ['10.0.0.7', [{ name: 'http', port: 80, protocol: 'TCP' }]],
    ]);
    // No ingress rule asks for them.
    expect(groups.get(GROUP)?.ports).toBeUndefined();
  });

  it.each([
    ['peers are everybody', {}],
    ['peers are an address block', { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
  ])('resolves the named port of an egress rule at any pod when %s', (_, to) => {
    const ports = [{ name: 'http', containerPort: 80 }];
    const pods = [...(objects().pods ?? []), apiPod('other/x', { ips: ['10.0.0.7'], ports })];
    const policies = [apiPolicy('shop/b', { egress: [{ ...to, ports: [{ port: 'http' }] }] })];
    const judge = createJudge(tableOf(objects({ pods, policies })));
    expect(judge.judge('egress', '10.0.0.7', 'TCP', 80).verdict).toBe('allow');
    expect(judge.judge('egress', '10.0.0.3', 'TCP', 80).verdict).toBe('deny');
  });

  it('does not count an address as its own that a newer pod has', () => {
    const newer = apiPod('shop/newer', { ips: ['10.0.0.1'], createdAt: '2024-01-01T00:00:00Z' });
    const table = tableOf(objects({ pods: [...(objects().pods ?? []), newer] }));
    expect(table.subject.ips).toEqual([]);
    expect(createJudge(table).judge('ingress', '10.0.0.1', 'TCP', 1)).toMatchObject({ reason: 'no-rule' });
  });

  it('survives JSON', () => {
    const table = tableOf(objects());
    expectSameTable(overTheWire(table), table);
  });

  it('shares groups, policies and rules with the other tables of its cluster', () => {
    const compiler = createCompiler(readCluster(objects()));
    const [api, web] = [compiler.compile('shop/api', 1), compiler.compile('shop/web', 1)];
    expect(api.groups.get(GROUP_WITH_PORTS)).toBe(web.groups.get(GROUP_WITH_PORTS));
    expect(api.policies.get('shop/b')).toBe(web.policies.get('shop/b'));
    expect(api.egress.rules[0]).toBe(web.egress.rules[0]);
    const again = compiler.compile('shop/api', 2);
    for (const part of ['policies', 'ingress', 'egress', 'groups', 'services'] as const)
      expect(again[part]).toBe(api[part]);
  });

  it('gives one selector one group, however it is written', () => {
    const selector = (first: string, second: string) => ({
      podSelector: {
        matchLabels: Object.fromEntries([first, second].map((key) => [key, 'x'])),
        matchExpressions: [{ key: 'k', operator: 'In', values: [first, second, first] }],
      },
    });
    const policies = [apiPolicy('shop/p', { ingress: [{ from: [selector('a', 'b'), selector('b', 'a')] }] })];
    expect([...tableOf(objects({ policies })).groups.keys()]).toEqual([
      'pods(a=x,b=x,k in (a,b)) in namespace shop',
    ]);
  });

  it.each([
    ['shop/none', /there is no pod shop\/none/],
    ['shop/host', /host network/],
    ['shop/done', /has ended \(Succeeded\)/],
  ])('is refused for %s', (key, message) => {
    const act = () => compile(readCluster(objects()), key, 1);
    expect(act).toThrowError(expect.objectContaining({ code: 'POD_NOT_SUBJECT' }));
    expect(act).toThrowError(message);
  });

  it('identifies peers in the forms that sockets give', () => {
    const judge = createJudge(tableOf(objects()));
    expect(judge.tag('::ffff:10.0.0.2')).toBe('shop/web');
    expect(judge.tag('::ffff:10.0.0.1')).toBe('shop/api');
    expect(judge.tag('203.0.113.7')).toBeUndefined();
    expect(judge.tag('__proto__')).toBeUndefined();
    expect(judge.judge('ingress', '::ffff:10.0.0.2', 'TCP', 1).verdict).toBe('allow');
    expect(judge.judge('ingress', 'constructor', 'TCP', 1).verdict).toBe('deny');
  });

  it('explains a denial by the pod that has the address, and says so where that is not known', () => {
    const judge = createJudge(tableOf(objects()));
    const db = {
      namespace: 'shop',
      name: 'db',
      workload: 'pod/db',
      labels: { app: 'db' },
      namespaceLabels: {},
      ports: [],
    };
    const got = (...owner: [] | [null] | [typeof db]) => {
      const verdict = judge.explain('ingress', '10.0.0.8', 'TCP', 1, ...owner);
      return verdict.reason === 'no-rule' && verdict.near?.[0]?.tests[0].got;
    };
    expect(got(db)).toBe('app=db');
    expect(got(null)).toBe('no labels (10.0.0.8 is not a pod)');
    expect(got()).toBe('labels that are not known here (10.0.0.8)');
  });
});

describe('a change', () => {
  function changeTo(next: ApiCluster): TableChange {
    const change = changeOf(readCluster(objects()), readCluster(next), 'shop/api', { from: 1, revision: 2 });
    if (change === undefined) throw new Error('nothing changed');
    return change;
  }

  it('is none when objects are written again with the same content', () => {
    expect(() => changeTo(objects())).toThrow('nothing changed');
  });

  it('is none when a Service has come and gone again', () => {
    const compiler = createCompiler(readCluster(objects()));
    compiler.follow('shop/api');
    compiler.compile('shop/api', 1);
    compiler.commit();
    const key = 'shop/front';
    const object = accepted(parseService(apiService(key, ['10.96.0.9'], [{ port: 80 }])));
    compiler.apply({ kind: 'Service', key, object });
    compiler.apply({ kind: 'Service', key, object: undefined });
    expect(compiler.commit().touched.size).toBe(0);
    compiler.apply({ kind: 'Service', key, object });
    expect([...compiler.commit().touched]).toEqual(['shop/api']);
  });

  it('holds what changed only', () => {
    const whole = { namespace: 'shop', members: { '10.0.0.3': 'shop/web2' } };
    expect(changeTo(objects({ webLabel: 'x' }))).toEqual({
      schema: TABLE_SCHEMA,
      from: 1,
      revision: 2,
      groups: {
        [GROUP]: { group: expect.objectContaining(whole) },
        [GROUP_WITH_PORTS]: { group: expect.objectContaining({ ...whole, ports: {} }) },
      },
    });
    expect(changeTo(objects({ policies: [] }))).toEqual({
      schema: TABLE_SCHEMA,
      from: 1,
      revision: 2,
      policies: { 'shop/a': null, 'shop/b': null },
      groups: { [GROUP]: null, [GROUP_WITH_PORTS]: null },
    });
    expect(changeTo(objects({ policies: objects().policies?.slice(0, 1) ?? [] }))).toEqual({
      schema: TABLE_SCHEMA,
      from: 1,
      revision: 2,
      policies: { 'shop/b': null },
      groups: { [GROUP_WITH_PORTS]: null },
    });
  });

  /** The cluster with so many more members of the group. */
  const crowd = (...pods: readonly [number: number, uid: string, ports?: readonly number[]][]) =>
    objects({
      pods: [
        ...(objects().pods ?? []),
        ...pods.map(([number, uid, ports = []]) =>
          apiPod(`shop/w${number}`, {
            labels: { app: 'web' },
            ips: [`10.0.1.${number}`],
            uid,
            ports: ports.map((containerPort) => ({ name: 'http', containerPort })),
          }),
        ),
      ],
    });

  it('finds which members change where most stay, another pod at an address among them', () => {
    const before = readCluster(crowd([1, 'u1'], [2, 'u2'], [3, 'u3'], [4, 'u4']));
    const after = readCluster(crowd([2, 'u2'], [3, 'again'], [4, 'u4'], [5, 'u5']));
    const change = changeOf(before, after, 'shop/api', { from: 1, revision: 2 });
    const members = { '10.0.1.1': null, '10.0.1.3': 'again', '10.0.1.5': 'u5' };
    expect(change?.groups).toEqual({ [GROUP]: { members }, [GROUP_WITH_PORTS]: { members } });
  });

  it('finds which named ports change, in the groups that have them', () => {
    const before = readCluster(crowd([1, 'u1', [80]], [2, 'u2', [80]], [3, 'u3']));
    const after = readCluster(crowd([1, 'u1', [81]], [2, 'u2'], [3, 'u3', [80]]));
    const change = changeOf(before, after, 'shop/api', { from: 1, revision: 2 });
    const http = (port: number) => [{ name: 'http', port, protocol: 'TCP' }];
    expect(change?.groups).toEqual({
      [GROUP_WITH_PORTS]: {
        members: {},
        ports: { '10.0.1.1': http(81), '10.0.1.2': null, '10.0.1.3': http(80) },
      },
    });
  });

  it('is none when a pod gets other labels and stays in its groups', () => {
    const labelled = (tier: string) => ({
      ...objects(),
      pods: (objects().pods ?? []).map((pod) =>
        pod.metadata.name === 'web2'
          ? apiPod('shop/web2', { labels: { app: 'web', tier }, ips: ['10.0.0.3'] })
          : pod,
      ),
    });
    const [before, after] = [readCluster(labelled('a')), readCluster(labelled('b'))];
    expect(changeOf(before, after, 'shop/api', { from: 1, revision: 2 })).toBeUndefined();
  });

  it('keeps what it does not touch by reference', () => {
    const before = tableOf(objects(), 1);
    const after = applyChange(before, changeTo(objects({ webLabel: 'x' }))).table;
    for (const part of ['subject', 'policies', 'ingress', 'egress', 'services'] as const)
      expect(after[part]).toBe(before[part]);
  });

  it('is refused when it continues another revision', () => {
    expect(() => applyChange(tableOf(objects(), 3), changeTo(objects({ policies: [] })))).toThrowError(
      expect.objectContaining({ code: 'TABLE_GAP' }),
    );
  });

  it.each<[string, Partial<TableChange>]>([
    ['removes an unknown policy', { policies: { 'shop/x': null } }],
    ['removes an unknown virtual port', { services: { '10.96.0.1 TCP/80': null } }],
    ['removes an unknown group', { groups: { x: null } }],
    ['changes an unknown group', { groups: { x: { members: { '10.0.0.9': 'u' } } } }],
    ['removes no member', { groups: { [GROUP]: { members: { '10.0.0.9': null } } } }],
    [
      'removes ports that are not there',
      { groups: { [GROUP_WITH_PORTS]: { members: {}, ports: { '10.0.0.2': null } } } },
    ],
    ['gives ports to a group without', { groups: { [GROUP]: { members: {}, ports: { '10.0.0.2': [] } } } }],
    ['is of another pod', { subject: { ...tableOf(objects()).subject, name: 'other' } }],
    ['removes a group in use', { groups: { [GROUP]: null } }],
    [
      'asks for a missing group',
      {
        policies: {
          'a/b': {
            policy: { namespace: 'a', name: 'b' },
            ingress: [{ index: 0, ports: [], peers: [{ kind: 'group', group: 'x' }] }],
          },
        },
      },
    ],
  ])('is refused whole when it %s', (_, part) => {
    const table = tableOf(objects(), 1);
    const [parts, said] = [{ ...table }, structuredClone(saidBy(table))];
    expect(() => applyChange(table, { schema: TABLE_SCHEMA, from: 1, revision: 2, ...part })).toThrowError(
      expect.objectContaining({ code: 'TABLE_MALFORMED' }),
    );
    expect(saidBy(table)).toEqual(said);
    for (const [field, value] of Object.entries(parts)) expect(table[field as keyof Table]).toBe(value);
  });

  it('may use any text as a key', () => {
    const change = JSON.parse(
      `{"schema":${TABLE_SCHEMA},"from":1,"revision":2,"groups":{"__proto__":{"group":{"members":{}}}}}`,
    ) as TableChange;
    const after = overTheWire(applyChange(tableOf(objects(), 1), change).table);
    expect([...after.groups.keys()].sort()).toEqual(['__proto__', GROUP, GROUP_WITH_PORTS]);
    expect(after.groups.get('__proto__')?.members.size).toBe(0);
  });
});

/** A frame that changes one group. */
function changeOfGroup(group: object): object {
  return { type: 'change', change: { schema: TABLE_SCHEMA, from: 1, revision: 2, groups: { g: group } } };
}

describe('what arrives', () => {
  /** A valid table as plain JSON, with the value at a path changed; undefined removes it. */
  function changed(path: (string | number)[], value: unknown): unknown {
    const table = JSON.parse(JSON.stringify(tableJson(tableOf(objects())))) as Record<
      string | number,
      unknown
    >;
    let parent = table;
    for (const step of path.slice(0, -1)) parent = parent[step] as Record<string | number, unknown>;
    const last = path.at(-1) ?? '';
    if (value === undefined) delete parent[last];
    else parent[last] = value;
    return table;
  }

  it.each<[(string | number)[], unknown, string]>([
    [['schema'], 1, 'table.schema must be 2, is 1'],
    [['schema'], 3, 'table.schema must be 2, is 3'],
    [['schema'], undefined, 'table.schema is missing'],
    [['revision'], -1, 'table.revision must be a whole number from 0'],
    [['revision'], '1', 'table.revision must be a whole number'],
    [['extra'], 1, 'table.extra is a field this version does not know'],
    [['subject', 'ips'], ['10.0.0.01'], 'table.subject.ips[0] is not a canonical address'],
    [['subject', 'ips'], ['::ffff:10.0.0.1'], 'table.subject.ips[0] is not a canonical address'],
    [['subject', 'ports'], {}, 'table.subject.ports must be a list, is object'],
    [['policies', 'shop/a', 'policy', 'name'], 'b', 'table.policies["shop/a"] is the policy shop/b'],
    [['policies', 'shop/a', 'ingress'], {}, 'table.policies["shop/a"].ingress must be a list, is object'],
    [
      ['policies', 'shop/a', 'ingress', 0, 'peers', 0, 'kind'],
      'all',
      'table.policies["shop/a"].ingress[0].peers[0].kind must be one of group, ipBlock',
    ],
    [
      ['policies', 'shop/a', 'ingress', 0, 'peers', 0, 'group'],
      'x',
      'table.policies["shop/a"].ingress[0].peers[0].group names a missing group',
    ],
    [
      ['policies', 'shop/a', 'ingress', 0, 'peers', 0],
      { kind: 'ipBlock', cidr: '10.0.0.1/8', except: [] },
      'peers[0].cidr is not a canonical CIDR',
    ],
    [
      ['policies', 'shop/a', 'ingress', 0, 'ports'],
      [{ protocol: 'TCP', from: 80 }],
      '.ingress[0].ports[0] must have both from and to',
    ],
    [
      ['policies', 'shop/a', 'ingress', 0, 'ports'],
      [{ protocol: 'TCP', from: 80, to: 79 }],
      'ports[0] ends (79) before it begins (80)',
    ],
    [
      ['policies', 'shop/a', 'ingress', 0, 'ports'],
      [{ protocol: 'tcp' }],
      'ports[0].protocol must be "TCP" or "UDP" or "SCTP"',
    ],
    [
      ['policies', 'shop/a', 'ingress', 0, 'ports'],
      [{ protocol: 'TCP', from: 1, to: 65536 }],
      'ports[0].to must be a whole number from 0 to 65535',
    ],
    [['groups', GROUP, 'members'], ['10.0.0.3'], `.groups["${GROUP}"].members must be an object, is a list`],
    [['groups', GROUP, 'members', '10.0.0.2'], 1, '.members["10.0.0.2"] must be a string, is number'],
    [
      ['groups', GROUP, 'podSelector', 'matchLabels'],
      [],
      '.podSelector.matchLabels must be an object, is a list',
    ],
    [
      ['groups', GROUP, 'members', 'not-an-address'],
      'u',
      '.members["not-an-address"] is not a canonical address',
    ],
    [['groups', GROUP, 'ports'], { '10.0.0.01': [] }, '.ports["10.0.0.01"] is not a canonical address'],
    [['groups', GROUP, 'ports'], { '10.0.0.1': [{ port: 80 }] }, '.ports["10.0.0.1"][0].protocol is missing'],
    [['subject', 'labels', 'app'], 1, 'table.subject.labels["app"] must be a string, is number'],
  ])('is refused as a table with %j = %j', (path, value, message) => {
    const act = () => readTable(changed(path, value));
    expect(act).toThrowError(expect.objectContaining({ code: 'TABLE_MALFORMED' }));
    expect(act).toThrowError(expect.objectContaining({ message: expect.stringContaining(message) }));
  });

  it.each([null, [], 'x', 1, undefined])('is refused as anything when it is %j', (value) => {
    const refused = expect.objectContaining({ code: 'TABLE_MALFORMED' });
    expect(() => readTable(value)).toThrowError(refused);
    expect(() => readInjectorFrame(value)).toThrowError(refused);
    expect(() => readSidecarFrame(value)).toThrowError(refused);
  });

  it.each([
    { type: 'heartbeat', revision: 1 },
    { type: 'unknown-pod', message: 'wait' },
    { type: 'moved', message: 'too many here' },
    { type: 'snapshot', table: tableJson(tableOf(objects())) },
    { type: 'change', change: { schema: TABLE_SCHEMA, from: 1, revision: 2 } },
    { type: 'identity', address: '10.0.0.9', pod: null },
    {
      type: 'identity',
      address: 'fd00::9',
      pod: {
        namespace: 'a',
        name: 'b',
        workload: 'pod/b',
        labels: {},
        namespaceLabels: { x: 'y' },
        ports: [],
      },
      tag: 'u',
    },
  ])('is taken as a frame from the injector: $type', (frame) => {
    expect(readInjectorFrame(frame)).toEqual(frame);
  });

  it.each([
    { type: 'hello', schema: 9, namespace: 'shop', pod: 'api' },
    { type: 'ack', revision: 1 },
    { type: 'nack', revision: 1, code: 'TABLE_GAP', message: 'gap' },
    { type: 'identify', address: '10.0.0.9' },
  ])('is taken as a frame from a sidecar: $type', (frame) => {
    expect(readSidecarFrame(frame)).toEqual(frame);
  });

  it.each([
    [{ type: 'bye' }, 'frame.type must be one of'],
    [{ type: 'toString' }, 'frame.type must be one of'],
    [{ type: 'heartbeat' }, 'frame.revision is missing'],
    [{ type: 'heartbeat', revision: 1, more: 1 }, 'frame.more is a field'],
    [{ type: 'delta', delta: { schema: 1, from: 1, revision: 2 } }, 'frame.type must be one of'],
    [{ type: 'change', change: { schema: 1 } }, 'frame.change.schema must be 2'],
    [
      { type: 'change', change: { schema: 2, from: 2, revision: 2 } },
      'frame.change.revision must be greater',
    ],
    [changeOfGroup({ kind: 'x' }), 'groups["g"].kind is a field this version does not know'],
    [changeOfGroup({}), 'groups["g"] must have either group or members'],
    [changeOfGroup({ ports: {} }), 'groups["g"] must have either group or members'],
    [changeOfGroup({ group: { members: {} }, members: {} }), 'groups["g"] must have either group or members'],
    [changeOfGroup({ group: { members: {} }, ports: {} }), 'groups["g"] must have either group or members'],
    [
      {
        type: 'change',
        change: {
          schema: 2,
          from: 1,
          revision: 2,
          policies: { 'a/b': { policy: { namespace: 'a', name: 'c' } } },
        },
      },
      'change.policies["a/b"] is the policy a/c',
    ],
    [{ type: 'snapshot', table: { schema: 2 } }, 'frame.table.revision is missing'],
  ])('is refused as a frame from the injector: %j', (frame, message) => {
    expect(() => readInjectorFrame(frame)).toThrowError(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
  });
});
