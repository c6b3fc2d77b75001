/** Tables: what is in them, what they share, how they change, and what is refused. */

import { describe, expect, it } from 'vitest';
import {
  applyDelta,
  compile,
  createCompiler,
  createJudge,
  parseService,
  readInjectorFrame,
  readSidecarFrame,
  readTable,
  type Table,
  type TableDelta,
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
import { deltaBetween } from '../table_updates.ts';

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

/** Who the member 10.0.0.2 is. */
const WEB = {
  namespace: 'shop',
  name: 'web',
  uid: 'shop/web',
  workload: 'pod/web',
  labels: { app: 'web' },
  ports: [],
};

describe('a table', () => {
  it('holds its own pod, its rules and their groups', () => {
    expect(tableOf(objects(), 7)).toMatchObject({
      schema: 1,
      revision: 7,
      subject: { namespace: 'shop', name: 'api', ips: ['10.0.0.1'], nodeIPs: ['192.168.0.1'] },
      ingress: {
        isolating: [{ name: 'a' }, { name: 'b' }],
        rules: [{ policy: { name: 'a' }, index: 0, peers: [{ kind: 'group', group: GROUP }], ports: [] }],
      },
      egress: { isolating: [{ name: 'b' }], rules: [{ ports: [{ protocol: 'TCP', name: 'http' }] }] },
      groups: { [GROUP]: { namespace: 'shop', members: ['10.0.0.2', '10.0.0.3', 'fd00::2'] } },
    });
  });

  it('holds who its own pod and the pods in its groups are, and nobody else', () => {
    const others = [
      apiPod('shop/db', { ips: ['10.0.0.8'] }),
      apiPod('other/web', { labels: { app: 'web' }, ips: ['10.0.1.1'] }),
    ];
    const table = tableOf(objects({ pods: [...(objects().pods ?? []), ...others] }));
    expect(Object.keys(table.pods).sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::2']);
    expect(Object.keys(table.namespaces)).toEqual(['shop']);
  });

  it('holds no address of host-network and finished pods', () => {
    const everybody = apiPolicy('shop/all', { ingress: [{ from: [{ namespaceSelector: {} }] }] });
    const pods = Object.keys(tableOf(objects({ policies: [everybody] })).pods);
    expect(pods.sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::2']);
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

  it('holds the named ports of peers, which egress rules resolve', () => {
    const ports = [{ name: 'http', containerPort: 80 }, { containerPort: 81 }];
    const pods = [
      ...(objects().pods ?? []),
      apiPod('shop/x', { labels: { app: 'web' }, ips: ['10.0.0.7'], ports }),
    ];
    expect(tableOf(objects({ pods })).pods['10.0.0.7']?.ports).toEqual([
      { name: 'http', port: 80, protocol: 'TCP' },
    ]);
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
    expect(readTable(JSON.parse(JSON.stringify(table)))).toEqual(table);
  });

  it('shares groups, identities and rules with the other tables of its cluster', () => {
    const compiler = createCompiler(readCluster(objects()));
    const [api, web] = [compiler.compile('shop/api', 1), compiler.compile('shop/web', 1)];
    expect(api.groups[GROUP]).toBe(web.groups[GROUP]);
    expect(api.pods['10.0.0.2']).toBe(web.pods['10.0.0.2']);
    expect(api.egress.rules[0]).toBe(web.egress.rules[0]);
  });

  it('gives one selector one group, however it is written', () => {
    const selector = (first: string, second: string) => ({
      podSelector: {
        matchLabels: Object.fromEntries([first, second].map((key) => [key, 'x'])),
        matchExpressions: [{ key: 'k', operator: 'In', values: [first, second, first] }],
      },
    });
    const policies = [apiPolicy('shop/p', { ingress: [{ from: [selector('a', 'b'), selector('b', 'a')] }] })];
    expect(Object.keys(tableOf(objects({ policies })).groups)).toEqual([
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
    expect(judge.identify('::ffff:10.0.0.2')).toMatchObject({
      namespace: 'shop',
      name: 'web',
      workload: 'pod/web',
    });
    expect(judge.identify('203.0.113.7')).toBeUndefined();
    expect(judge.identify('__proto__')).toBeUndefined();
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
      return verdict.reason === 'no-rule' && verdict.nearMiss?.got;
    };
    expect(got(db)).toBe('app=db');
    expect(got(null)).toBe('no labels (10.0.0.8 is not a pod)');
    expect(got()).toBe('labels that are not known here (10.0.0.8)');
  });

  it('gives no right to a member that the directory does not know', () => {
    const table = tableOf(objects());
    const { '10.0.0.3': _, ...pods } = table.pods;
    expect(createJudge({ ...table, pods }).judge('ingress', '10.0.0.3', 'TCP', 1).verdict).toBe('deny');
  });
});

describe('a delta', () => {
  function deltaTo(next: ApiCluster): TableDelta {
    const delta = deltaBetween(readCluster(objects()), readCluster(next), 'shop/api', {
      from: 1,
      revision: 2,
    });
    if (delta === undefined) throw new Error('nothing changed');
    return delta;
  }

  it('is none when objects are written again with the same content', () => {
    expect(() => deltaTo(objects())).toThrow('nothing changed');
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
    expect(compiler.commit().tables.size).toBe(0);
    compiler.apply({ kind: 'Service', key, object });
    expect([...compiler.commit().tables.keys()]).toEqual(['shop/api']);
  });

  it('holds what changed only', () => {
    expect(deltaTo(objects({ webLabel: 'x' }))).toEqual({
      schema: 1,
      from: 1,
      revision: 2,
      groups: { [GROUP]: { kind: 'set', group: expect.objectContaining({ members: ['10.0.0.3'] }) } },
      pods: { '10.0.0.2': null, 'fd00::2': null },
    });
    expect(Object.keys(deltaTo(objects({ policies: [] })))).toEqual([
      'schema',
      'from',
      'revision',
      'ingress',
      'egress',
      'groups',
      'pods',
    ]);
  });

  it('finds which members change where most stay', () => {
    const web = (n: number) => apiPod(`shop/w${n}`, { labels: { app: 'web' }, ips: [`10.0.1.${n}`] });
    const crowd = (...numbers: number[]) =>
      objects({ pods: [...(objects().pods ?? []), ...numbers.map(web)] });
    const [before, after] = [readCluster(crowd(1, 2, 3, 4)), readCluster(crowd(2, 3, 4, 5))];
    const delta = deltaBetween(before, after, 'shop/api', { from: 1, revision: 2 });
    expect(delta?.groups).toEqual({
      [GROUP]: { kind: 'members', added: ['10.0.1.5'], removed: ['10.0.1.1'] },
    });
    expect(delta?.pods).toMatchObject({ '10.0.1.1': null });
  });

  it('keeps what it does not touch by reference', () => {
    const before = tableOf(objects(), 1);
    const after = applyDelta(before, deltaTo(objects({ webLabel: 'x' })));
    expect(after.ingress).toBe(before.ingress);
    expect(after.subject).toBe(before.subject);
    expect(after.pods['10.0.0.3']).toBe(before.pods['10.0.0.3']);
    expect(after.namespaces).toBe(before.namespaces);
  });

  it('is refused when it continues another revision', () => {
    expect(() => applyDelta(tableOf(objects(), 3), deltaTo(objects({ policies: [] })))).toThrowError(
      expect.objectContaining({ code: 'TABLE_GAP' }),
    );
  });

  it.each<[string, Partial<TableDelta>]>([
    ['removes an unknown address', { pods: { '10.9.9.9': null } }],
    ['removes an unknown group', { groups: { x: { kind: 'removed' } } }],
    ['changes an unknown group', { groups: { x: { kind: 'members', added: ['10.0.0.9'], removed: [] } } }],
    ['adds a member twice', { groups: { [GROUP]: { kind: 'members', added: ['10.0.0.2'], removed: [] } } }],
    ['removes no member', { groups: { [GROUP]: { kind: 'members', added: [], removed: ['10.0.0.9'] } } }],
    ['is of another pod', { subject: { ...tableOf(objects()).subject, name: 'other' } }],
    [
      'adds a member that its group does not select',
      {
        groups: { [GROUP]: { kind: 'members', added: ['10.0.0.8'], removed: [] } },
        pods: { '10.0.0.8': { ...WEB, name: 'db', labels: { app: 'db' } } },
      },
    ],
    [
      'sets a group that does not select its members',
      {
        groups: {
          [GROUP]: { kind: 'set', group: { namespace: 'b', members: ['10.0.0.2', '10.0.0.3', 'fd00::2'] } },
        },
      },
    ],
    ['relabels a member that stays', { pods: { '10.0.0.2': { ...WEB, labels: { app: 'x' } } } }],
    [
      'gives the address of a member to another namespace',
      { pods: { '10.0.0.2': { ...WEB, namespace: 'b' } } },
    ],
    ['removes a group in use', { groups: { [GROUP]: { kind: 'removed' } } }],
    [
      'asks for a missing group',
      {
        ingress: {
          direction: 'ingress',
          isolating: [],
          rules: [
            {
              policy: { namespace: 'a', name: 'b' },
              index: 0,
              ports: [],
              peers: [{ kind: 'group', group: 'x' }],
            },
          ],
        },
      },
    ],
  ])('is refused whole when it %s', (_, part) => {
    const table = tableOf(objects(), 1);
    const copy = structuredClone(table);
    expect(() => applyDelta(table, { schema: 1, from: 1, revision: 2, ...part })).toThrowError(
      expect.objectContaining({ code: 'TABLE_MALFORMED' }),
    );
    expect(table).toEqual(copy);
  });

  it('is refused whole when it relabels a namespace whose pods stay members', () => {
    const from = [{ namespaceSelector: { matchLabels: { team: 'x' } } }];
    const table = tableOf({
      ...objects({ policies: [apiPolicy('shop/a', { ingress: [{ from }] })] }),
      namespaces: [apiNamespace('shop', { team: 'x' })],
    });
    const relabelled = { schema: 1 as const, from: 1, revision: 2, namespaces: { shop: { team: 'y' } } };
    expect(() => applyDelta(table, relabelled)).toThrowError(
      expect.objectContaining({
        code: 'TABLE_MALFORMED',
        message: expect.stringMatching(/does not select its member/),
      }),
    );
  });

  it('may use any text as a key', () => {
    const delta = JSON.parse(
      '{"schema":1,"from":1,"revision":2,"namespaces":{"__proto__":{"a":"b"}}}',
    ) as TableDelta;
    const after = applyDelta(tableOf(objects(), 1), delta);
    expect(Object.keys(after.namespaces)).toEqual(['shop', '__proto__']);
    expect(Object.getPrototypeOf(after.namespaces)).toBe(Object.prototype);
  });
});

describe('what arrives', () => {
  /** A valid table as plain JSON, with the value at a path changed; undefined removes it. */
  function changed(path: (string | number)[], value: unknown): unknown {
    const table = JSON.parse(JSON.stringify(tableOf(objects()))) as Record<string | number, unknown>;
    let parent = table;
    for (const step of path.slice(0, -1)) parent = parent[step] as Record<string | number, unknown>;
    const last = path.at(-1) ?? '';
    if (value === undefined) delete parent[last];
    else parent[last] = value;
    return table;
  }

  it.each<[(string | number)[], unknown, string]>([
    [['schema'], 2, 'table.schema must be 1, is 2'],
    [['schema'], undefined, 'table.schema is missing'],
    [['revision'], -1, 'table.revision must be a whole number from 0'],
    [['revision'], '1', 'table.revision must be a whole number'],
    [['extra'], 1, 'table.extra is a field this version does not know'],
    [['subject', 'ips'], ['10.0.0.01'], 'table.subject.ips[0] is not a canonical address'],
    [['subject', 'ips'], ['::ffff:10.0.0.1'], 'table.subject.ips[0] is not a canonical address'],
    [['subject', 'ports'], {}, 'table.subject.ports must be a list, is object'],
    [['ingress', 'direction'], 'egress', 'table.ingress.direction must be "ingress", is "egress"'],
    [
      ['ingress', 'rules', 0, 'peers', 0, 'kind'],
      'all',
      'table.ingress.rules[0].peers[0].kind must be one of group, ipBlock',
    ],
    [
      ['ingress', 'rules', 0, 'peers', 0, 'group'],
      'x',
      'table.ingress.rules[0].peers[0].group names a missing group',
    ],
    [
      ['ingress', 'rules', 0, 'peers', 0],
      { kind: 'ipBlock', cidr: '10.0.0.1/8', except: [] },
      'peers[0].cidr is not a canonical CIDR',
    ],
    [
      ['ingress', 'rules', 0, 'ports'],
      [{ protocol: 'TCP', from: 80 }],
      'rules[0].ports[0] must have both from and to',
    ],
    [
      ['ingress', 'rules', 0, 'ports'],
      [{ protocol: 'TCP', from: 80, to: 79 }],
      'ports[0] ends (79) before it begins (80)',
    ],
    [
      ['ingress', 'rules', 0, 'ports'],
      [{ protocol: 'tcp' }],
      'ports[0].protocol must be "TCP" or "UDP" or "SCTP"',
    ],
    [
      ['ingress', 'rules', 0, 'ports'],
      [{ protocol: 'TCP', from: 1, to: 65536 }],
      'ports[0].to must be a whole number from 0 to 65535',
    ],
    [['pods', '10.0.0.2', 'labels'], { app: 'x' }, `.groups["${GROUP}"] does not select its member 10.0.0.2`],
    [['groups', GROUP, 'members'], ['10.0.0.3', '10.0.0.2'], '.members[1] is out of order'],
    [
      ['groups', GROUP, 'podSelector', 'matchLabels'],
      [],
      '.podSelector.matchLabels must be an object, is a list',
    ],
    [['pods', 'not-an-address'], {}, 'table.pods["not-an-address"] is not a canonical address'],
    [
      ['pods', '10.0.0.2', 'labels', 'app'],
      1,
      'table.pods["10.0.0.2"].labels["app"] must be a string, is number',
    ],
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
    { type: 'snapshot', table: tableOf(objects()) },
    { type: 'delta', delta: { schema: 1, from: 1, revision: 2 } },
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
    [{ type: 'delta', delta: { schema: 2 } }, 'frame.delta.schema must be 1'],
    [{ type: 'delta', delta: { schema: 1, from: 2, revision: 2 } }, 'frame.delta.revision must be greater'],
    [
      { type: 'delta', delta: { schema: 1, from: 1, revision: 2, groups: { g: { kind: 'x' } } } },
      'groups["g"].kind must be',
    ],
    [{ type: 'snapshot', table: { schema: 1 } }, 'frame.table.revision is missing'],
  ])('is refused as a frame from the injector: %j', (frame, message) => {
    expect(() => readInjectorFrame(frame)).toThrowError(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
  });
});
