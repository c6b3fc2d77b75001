/** A pod's table of the size that large clusters have. */
import { TABLE_SCHEMA, type Table } from '../policy/index.ts';

const GROUPS = 100;

/** @param peers pods in 100 groups; 1,000 rules have ports of their own */
export function largeTable(peers = 10_000): Table {
  const pods: Record<string, Table['pods'][string]> = {};
  const groups: Record<string, Table['groups'][string]> = {};
  for (let group = 0; group < GROUPS; group += 1) {
    const members = Array.from({ length: peers / GROUPS }, (_, index) => {
      const host = index + 1;
      return `10.${group + 1}.${host >> 8}.${host & 255}`;
    }).sort();
    groups[`g${group}`] = { members };
    for (const address of members) pods[address] = podAt(address);
  }
  const policy = { namespace: 'shop', name: 'many' };
  const rules = Array.from({ length: 1000 }, (_, index) => ({
    policy,
    index,
    ports: [{ protocol: 'TCP' as const, from: 1000 + index, to: 1000 + index }],
    peers: [{ kind: 'group' as const, group: `g${index % GROUPS}` }],
  }));
  return {
    schema: TABLE_SCHEMA,
    revision: 1,
    subject: {
      namespace: 'shop',
      name: 'api',
      uid: 'shop/api',
      ips: ['10.0.0.100'],
      nodeIPs: ['10.0.1.1'],
      ports: [],
    },
    ingress: { direction: 'ingress', isolating: [policy], rules },
    egress: { direction: 'egress', isolating: [], rules: [] },
    groups,
    pods,
    namespaces: {},
    services: {},
  };
}

/** The same table with a pod in one more group: what it does not touch is the same object, as after a delta. */
export function withPeer(table: Table, address: string, group: string): Table {
  const known = table.groups[group];
  const members = [...(known?.members ?? []), address].sort();
  return {
    ...table,
    revision: table.revision + 1,
    groups: { ...table.groups, [group]: { ...known, members } },
    pods: { ...table.pods, [address]: podAt(address) },
  };
}

/** A pod that has an address. */
export function podAt(address: string): Table['pods'][string] {
  return {
    namespace: 'n',
    name: `p-${address}`,
    uid: address,
    workload: `pod/p-${address}`,
    labels: {},
    ports: [],
  };
}
