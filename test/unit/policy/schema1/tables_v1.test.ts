/** Tables and deltas of schema 1: what is in them, and what is refused. */
import { describe, expect, it } from 'vitest';
import {
  applyDelta,
  createCompiler,
  readInjectorFrameV1,
  readTableFileV1,
  type TableDeltaV1,
  type TableV1,
  tableFromV1,
  tableToV1,
} from '../../../../policy/index.ts';
import { readTable } from '../../../../policy/schema1/form.ts';
import {
  type ApiCluster,
  apiNamespace,
  apiPod,
  apiPolicy,
  readCluster,
} from '../../../builders/api_objects.ts';
import { asJson } from '../table_updates.ts';

const FROM_WEB = { from: [{ podSelector: { matchLabels: { app: 'web' } } }] };

function objects(more: Partial<ApiCluster> = {}): ApiCluster {
  return {
    namespaces: [apiNamespace('shop')],
    pods: [
      apiPod('shop/api', { labels: { app: 'api' }, ips: ['10.0.0.1'], hostIP: '192.168.0.1' }),
      apiPod('shop/web', { labels: { app: 'web' }, ips: ['10.0.0.2', 'fd00::2'] }),
      apiPod('shop/web2', { labels: { app: 'web' }, ips: ['10.0.0.3'] }),
      apiPod('shop/db', { labels: { app: 'db' }, ips: ['10.0.0.8'] }),
    ],
    policies: [
      apiPolicy('shop/a', { podSelector: { matchLabels: { app: 'api' } }, ingress: [FROM_WEB] }),
      apiPolicy('shop/b', { egress: [{ to: FROM_WEB.from, ports: [{ port: 'http' }] }] }),
    ],
    ...more,
  };
}

function tableOf(cluster: ApiCluster, revision = 1): TableV1 {
  const compiler = createCompiler(readCluster(cluster));
  return tableToV1(compiler.compile('shop/api', revision), compiler.directory);
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
    const { subject, ...table } = tableOf(objects(), 7);
    expect(subject).toEqual({
      namespace: 'shop',
      name: 'api',
      uid: 'shop/api',
      ips: ['10.0.0.1'],
      nodeIPs: ['192.168.0.1'],
      ports: [],
    });
    expect(table).toMatchObject({
      schema: 1,
      revision: 7,
      ingress: {
        direction: 'ingress',
        isolating: [{ name: 'a' }, { name: 'b' }],
        rules: [{ policy: { name: 'a' }, index: 0, peers: [{ kind: 'group', group: GROUP }], ports: [] }],
      },
      egress: { isolating: [{ name: 'b' }], rules: [{ ports: [{ protocol: 'TCP', name: 'http' }] }] },
      groups: { [GROUP]: { namespace: 'shop', members: ['10.0.0.2', '10.0.0.3', 'fd00::2'] } },
    });
  });

  it('holds who its own pod and the pods in its groups are, and nobody else', () => {
    const table = tableOf(objects());
    expect(Object.keys(table.pods).sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::2']);
    expect(table.pods['10.0.0.2']).toEqual(WEB);
    expect(Object.keys(table.namespaces)).toEqual(['shop']);
  });

  it('survives JSON', () => {
    const table = tableOf(objects());
    expect(readTable(asJson(table))).toEqual(table);
    expect(readTableFileV1(JSON.stringify(table), 'x')).toEqual(table);
  });

  it('gives no right to a member that the directory does not know', () => {
    const table = tableOf(objects());
    const { '10.0.0.3': _, ...pods } = table.pods;
    const members = tableFromV1({ ...table, pods }).groups.get(GROUP)?.members;
    expect([...(members?.keys() ?? [])].sort()).toEqual(['10.0.0.2', 'fd00::2']);
  });
});

describe('a delta', () => {
  it.each<[string, Partial<TableDeltaV1>]>([
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

  it('is refused when it continues another revision', () => {
    expect(() => applyDelta(tableOf(objects(), 3), { schema: 1, from: 1, revision: 2 })).toThrowError(
      expect.objectContaining({ code: 'TABLE_GAP' }),
    );
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
    ) as TableDeltaV1;
    const after = applyDelta(tableOf(objects(), 1), delta);
    expect(Object.keys(after.namespaces)).toEqual(['shop', '__proto__']);
    expect(Object.getPrototypeOf(after.namespaces)).toBe(Object.prototype);
  });
});

describe('what arrives', () => {
  /** A valid table as plain JSON, with the value at a path changed; undefined removes it. */
  function changed(path: (string | number)[], value: unknown): unknown {
    const table = asJson(tableOf(objects())) as Record<string | number, unknown>;
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
      ['ingress', 'rules', 0, 'ports'],
      [{ protocol: 'TCP', from: 80 }],
      'rules[0].ports[0] must have both from and to',
    ],
    [
      ['ingress', 'rules', 0, 'policy'],
      { namespace: 'shop', name: 'a', kind: 'ClusterNetworkPolicy' },
      'rules[0].policy.kind must be "NetworkPolicy"',
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
    [['services', '10.96.0.1'], {}, '.services["10.96.0.1"] is not a virtual port'],
  ])('is refused as a table with %j = %j', (path, value, message) => {
    const act = () => readTable(changed(path, value));
    expect(act).toThrowError(expect.objectContaining({ code: 'TABLE_MALFORMED' }));
    expect(act).toThrowError(expect.objectContaining({ message: expect.stringContaining(message) }));
    const file = () => readTableFileV1(JSON.stringify(changed(path, value)), '/x/table.json');
    expect(file).toThrowError(expect.objectContaining({ code: 'TABLE_MALFORMED' }));
    expect(file).toThrowError('/x/table.json');
  });

  it.each([null, [], 'x', 1, undefined])('is refused as anything when it is %j', (value) => {
    const refused = expect.objectContaining({ code: 'TABLE_MALFORMED' });
    expect(() => readTable(value)).toThrowError(refused);
    expect(() => readInjectorFrameV1(value)).toThrowError(refused);
  });

  it.each([
    { type: 'heartbeat', revision: 1 },
    { type: 'unknown-pod', message: 'wait' },
    { type: 'snapshot', table: tableOf(objects()) },
    { type: 'delta', delta: { schema: 1, from: 1, revision: 2 } },
    { type: 'identity', address: '10.0.0.9', pod: null },
  ])('is taken as a frame from the injector: $type', (frame) => {
    expect(readInjectorFrameV1(frame)).toEqual(frame);
  });

  it.each([
    [{ type: 'change', change: { schema: 2, from: 1, revision: 2 } }, 'frame.type must be one of'],
    [{ type: 'heartbeat' }, 'frame.revision is missing'],
    [{ type: 'identity', address: '10.0.0.9', pod: null, tag: 'u' }, 'frame.tag is a field'],
    [{ type: 'delta', delta: { schema: 2 } }, 'frame.delta.schema must be 1'],
    [{ type: 'delta', delta: { schema: 1, from: 2, revision: 2 } }, 'frame.delta.revision must be greater'],
    [
      { type: 'delta', delta: { schema: 1, from: 1, revision: 2, groups: { g: { kind: 'x' } } } },
      'groups["g"].kind must be',
    ],
    [{ type: 'snapshot', table: { schema: 1 } }, 'frame.table.revision is missing'],
  ])('is refused as a frame from the injector: %j', (frame, message) => {
    expect(() => readInjectorFrameV1(frame)).toThrowError(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
  });
});
