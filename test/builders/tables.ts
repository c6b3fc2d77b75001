/** Tables of the pod shop/api for sidecar tests. */
import { PersistentMap } from '../../common/persistent_map.ts';
import {
  type AddressGroup,
  type PolicyRules,
  policyKey,
  ServiceMap,
  type Table,
  type TableRule,
  type TableV1,
  tableToV1,
  tableWith,
} from '../../policy/index.ts';

const POLICY = { namespace: 'shop', name: 'allow' };

/** @param spec `allowed`: addresses that one policy admits; absent: the pod is not isolated */
export function table(spec: { revision: number; allowed?: readonly string[]; name?: string }): Table {
  const peers = (spec.allowed ?? []).map((address) => ({
    kind: 'ipBlock' as const,
    cidr: `${address}/32`,
    except: [],
  }));
  const open = tableWith({
    revision: spec.revision,
    subject: {
      namespace: 'shop',
      name: spec.name ?? 'api',
      uid: 'uid-api',
      ips: ['10.0.0.100'],
      nodeIPs: ['10.0.1.1'],
      ports: [],
      workload: 'Deployment/api',
      labels: {},
    },
    policies: new Map(),
    groups: new Map(),
    services: ServiceMap.from([]),
  });
  if (spec.allowed === undefined) return open;
  const ingress = peers.length === 0 ? [] : [{ policy: POLICY, index: 0, ports: [], peers }];
  return withPolicies(open, { policy: POLICY, ingress });
}

/** The same table with these policies and no others. */
export function withPolicies(table: Table, ...policies: readonly PolicyRules[]): Table {
  return tableWith({ ...table, policies: new Map(policies.map((one) => [policyKey(one.policy), one])) });
}

/** The same table with one policy that admits a group in each of the directions. */
export function admittingGroup(
  table: Table,
  directions: readonly ('ingress' | 'egress')[],
  group: AddressGroup,
): Table {
  const rule: TableRule = { policy: POLICY, index: 0, ports: [], peers: [{ kind: 'group', group: 'g' }] };
  const rules = Object.fromEntries(directions.map((direction) => [direction, [rule]]));
  return withPolicies({ ...table, groups: new Map([['g', group]]) }, { policy: POLICY, ...rules });
}

/** Pods of the namespace shop. @param members by address: the tag of the pod that has it */
export function groupOf(members: Readonly<Record<string, string>>): AddressGroup {
  return { namespace: 'shop', members: PersistentMap.from(Object.entries(members)) };
}

/** The same table as earlier sidecars and injectors have it: each tag of a member is its pod's UID, and its name begins with `pod-`. */
export function olderTable(table: Table): TableV1 {
  const tags = [...table.groups.values()].flatMap(({ members }) => [...members]);
  const uids = new Map([...tags, ...table.subject.ips.map((ip) => [ip, table.subject.uid] as const)]);
  return tableToV1(table, {
    owner(address) {
      const uid = uids.get(address);
      if (uid === undefined) return undefined;
      const { namespace, workload, labels } = table.subject;
      return { namespace, name: `pod-${uid}`, uid, workload, labels, ports: [] };
    },
    namespaceLabels: () => ({}),
  });
}

/** The same group, with those members only that the sidecar has asked about. */
export function partialGroupOf(members: Readonly<Record<string, string>>): AddressGroup {
  return { ...groupOf(members), partial: true };
}
