/** A pod's table of the size that large clusters have. */
import { type AddressGroup, readTable, TABLE_SCHEMA, type Table } from '../policy/index.ts';

const GROUPS = 100;

/** @param peers pods in 100 groups; 1,000 rules have ports of their own */
export function largeTable(peers = 10_000): Table {
  const groups = Array.from({ length: GROUPS }, (_, group): [string, object] => {
    const members = Array.from({ length: peers / GROUPS }, (_, index) => {
      const host = index + 1;
      return `10.${group + 1}.${host >> 8}.${host & 255}`;
    });
    return [
      `g${group}`,
      { members: Object.fromEntries(members.map((address) => [address, tagAt(address)])) },
    ];
  });
  const rules = Array.from({ length: 1000 }, (_, index) => ({
    index,
    ports: [{ protocol: 'TCP', from: 1000 + index, to: 1000 + index }],
    peers: [{ kind: 'group', group: `g${index % GROUPS}` }],
  }));
  return readTable({
    schema: TABLE_SCHEMA,
    revision: 1,
    subject: {
      namespace: 'shop',
      name: 'api',
      uid: 'shop/api',
      ips: ['10.0.0.100'],
      nodeIPs: ['10.0.1.1'],
      ports: [],
      workload: 'pod/api',
      labels: {},
    },
    policies: { 'shop/many': { policy: { namespace: 'shop', name: 'many' }, ingress: rules } },
    groups: Object.fromEntries(groups),
    services: {},
  });
}

/** The same table with a pod in one more group: what it does not touch is the same object, as after a change from outside. */
export function withPeer(table: Table, address: string, group: string): Table {
  const known = table.groups.get(group);
  if (known === undefined) throw new Error(`the table has no group ${group}`);
  const members = known.members.with([[address, tagAt(address)]]);
  const groups: ReadonlyMap<string, AddressGroup> = new Map(table.groups).set(group, { ...known, members });
  return { ...table, revision: table.revision + 1, groups };
}

function tagAt(address: string): string {
  return `tag-${address}`;
}
