/** Tables of schema 1 from tables, for sidecars that speak it, and the other way round, for injectors that do. */

import { PersistentMap } from '../../common/persistent_map.ts';
import { ownEntry } from '../key.ts';
import type { ContainerPort, Labels } from '../model.ts';
import {
  type AddressGroup,
  inOrder,
  type PodIdentity,
  type PolicyRules,
  policyKey,
  ServiceMap,
  sameData,
  type Table,
  type TableRule,
  tableWith,
  tagOf,
} from '../table/index.ts';
import {
  type AddressGroupV1,
  type DirectionTableV1,
  type GroupDeltaV1,
  SCHEMA_1,
  type TableDeltaV1,
  type TableV1,
} from './table.ts';

/**
 * The table that one of schema 1 is.
 * @param previous the table before it: what says the same is taken from there
 */
export function tableFromV1(v1: TableV1, previous?: Table): Table {
  const { revision, pods } = v1;
  const own = v1.subject.ips.flatMap((ip) => ownEntry(pods, ip) ?? []).at(0);
  const subject = { ...v1.subject, workload: own?.workload ?? '', labels: own?.labels ?? {} };
  const policies = policiesFromV1(v1);
  const isSame = previous !== undefined && sameData([...previous.policies], [...policies]);
  const groups = Object.entries(v1.groups).map(([id, group]): [string, AddressGroup] => [
    id,
    groupFromV1(group, pods, previous?.groups.get(id)),
  ]);
  const parts = {
    revision,
    subject: previous !== undefined && sameData(previous.subject, subject) ? previous.subject : subject,
    groups: new Map(groups),
    services: servicesFromV1(v1, previous?.services),
  };
  return isSame ? { ...previous, ...parts } : tableWith({ ...parts, policies }, previous);
}

function policiesFromV1({ ingress, egress }: TableV1): ReadonlyMap<string, PolicyRules> {
  const policies = new Map<string, PolicyRules>();
  for (const { direction, isolating, rules } of [ingress, egress]) {
    const own = new Map<string, TableRule[]>(isolating.map((policy) => [policyKey(policy), []]));
    const refs = new Map(isolating.map((policy) => [policyKey(policy), policy]));
    for (const rule of rules) {
      const key = policyKey(rule.policy);
      refs.set(key, rule.policy);
      const list = own.get(key);
      if (list === undefined) own.set(key, [rule]);
      else list.push(rule);
    }
    for (const [key, list] of own) {
      const policy = refs.get(key);
      if (policy !== undefined) policies.set(key, { policy, ...policies.get(key), [direction]: list });
    }
  }
  return inOrder(policies);
}

/** Members without a pod in the directory count for nothing. All named ports come along: schema 1 has them of every pod. */
function groupFromV1(
  { members, ...test }: AddressGroupV1,
  pods: TableV1['pods'],
  previous: AddressGroup | undefined,
): AddressGroup {
  const tags = new Map<string, string>();
  const ports = new Map<string, readonly ContainerPort[]>();
  for (const address of members) {
    const pod = ownEntry(pods, address);
    if (pod === undefined) continue;
    tags.set(address, tagOf(pod.uid));
    const known = previous?.ports?.get(address);
    if (pod.ports.length > 0)
      ports.set(address, known !== undefined && sameData(known, pod.ports) ? known : pod.ports);
  }
  const group = {
    ...test,
    members: updated(previous?.members, tags),
    ports: updated(previous?.ports, ports),
  };
  return previous !== undefined && isSameGroup(previous, group) ? previous : group;
}

function isSameGroup({ members, ports, ...test }: AddressGroup, other: AddressGroup): boolean {
  const { members: otherMembers, ports: otherPorts, ...otherTest } = other;
  return members === otherMembers && ports === otherPorts && sameData(test, otherTest);
}

function servicesFromV1({ services }: TableV1, before: ServiceMap | undefined): ServiceMap {
  const entries = new Map(Object.entries(services));
  return before === undefined ? ServiceMap.from(entries) : before.with(replacing(before, entries));
}

/** A map with these entries, made of one before it so that they share what is the same. */
function updated<V>(before: PersistentMap<V> | undefined, entries: ReadonlyMap<string, V>): PersistentMap<V> {
  return before === undefined ? PersistentMap.from(entries) : before.with(replacing(before, entries));
}

/** What makes a map one with these entries only. */
function replacing<V>(
  before: { keys(): Iterable<string> },
  entries: ReadonlyMap<string, V>,
): (readonly [string, V | undefined])[] {
  const gone = [...before.keys()].filter((key) => !entries.has(key));
  return [...entries, ...gone.map((key) => [key, undefined] as const)];
}

/** Who has an address, and the labels of a namespace: what schema 1 has in each table. */
export interface DirectoryV1 {
  owner(address: string): PodIdentity | undefined;
  namespaceLabels(namespace: string): Labels;
}

/** A table as schema 1 has it. @param directory as of the same moment as the table */
export function tableToV1(table: Table, directory: DirectoryV1): TableV1 {
  const addresses = new Set(table.subject.ips);
  for (const { members } of table.groups.values())
    for (const address of members.keys()) addresses.add(address);
  return {
    schema: SCHEMA_1,
    revision: table.revision,
    subject: subjectToV1(table),
    ingress: table.ingress,
    egress: table.egress,
    groups: Object.fromEntries([...table.groups].map(([id, group]) => [id, groupToV1(group)])),
    ...identities(addresses, directory, table),
    services: Object.fromEntries(table.services),
  };
}

function subjectToV1({ subject: { workload: _, labels: __, ...subject } }: Table): TableV1['subject'] {
  return subject;
}

function groupToV1({ members, ports: _, ...test }: AddressGroup): AddressGroupV1 {
  return { ...test, members: [...members.keys()].sort() };
}

/** The directory of some addresses, and the labels of their pods' namespaces and of the subject's. */
function identities(addresses: Iterable<string>, directory: DirectoryV1, { subject }: Table) {
  const pods: Record<string, PodIdentity> = {};
  const namespaces: Record<string, Labels> = {};
  const mention = (name: string): void => {
    if (!Object.hasOwn(namespaces, name)) put(namespaces, name, directory.namespaceLabels(name));
  };
  mention(subject.namespace);
  for (const address of addresses) {
    const pod = directory.owner(address);
    if (pod === undefined) continue;
    pods[address] = pod;
    mention(pod.namespace);
  }
  return { pods, namespaces };
}

function put<T>(record: Record<string, T>, key: string, value: T): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}

/** What leads from one table of a pod to a later one, as schema 1 has it. @param directory as of the moment of `after` */
export function deltaToV1(before: Table, after: Table, directory: DirectoryV1): TableDeltaV1 {
  const groups = new Map<string, GroupDeltaV1>();
  const touched: Touched = new Map();
  for (const [id, group] of after.groups) {
    const known = before.groups.get(id);
    if (known === group) continue;
    const delta = groupDelta(known, group, touched);
    if (delta !== undefined) groups.set(id, delta);
  }
  for (const [id, { members }] of before.groups) {
    if (after.groups.has(id)) continue;
    groups.set(id, { kind: 'removed' });
    for (const address of members.keys()) touch(touched, address, false);
  }
  for (const ip of before.subject.ips) touch(touched, ip, false);
  for (const ip of after.subject.ips) touch(touched, ip, true);
  const there = [...touched].flatMap(([address, isIn]) =>
    isIn || isMentioned(after, address) ? [address] : [],
  );
  const { pods, namespaces } = identities(there, directory, after);
  const gone = [...touched.keys()].filter(
    (address) => !Object.hasOwn(pods, address) && isMentioned(before, address),
  );
  const services = [...after.services.since(before.services)].map(
    ([key, , now]) => [key, now ?? null] as const,
  );
  return {
    schema: SCHEMA_1,
    from: before.revision,
    revision: after.revision,
    ...(sameData(before.subject, after.subject) ? {} : { subject: subjectToV1(after) }),
    ...changedDirection('ingress', before.ingress, after.ingress),
    ...changedDirection('egress', before.egress, after.egress),
    ...(groups.size === 0 ? {} : { groups: Object.fromEntries(groups) }),
    ...(touched.size === 0 ? {} : { pods: { ...pods, ...Object.fromEntries(gone.map((ip) => [ip, null])) } }),
    namespaces,
    ...(services.length === 0 ? {} : { services: Object.fromEntries(services) }),
  };
}

/** Addresses whose pods may be others in a directory, and whether it is known that the later one has them. */
type Touched = Map<string, boolean>;

function touch(touched: Touched, address: string, isIn: boolean): void {
  touched.set(address, isIn || touched.get(address) === true);
}

function changedDirection(
  direction: 'ingress' | 'egress',
  before: DirectionTableV1 | Table['ingress'],
  after: Table['ingress'],
): Partial<Pick<TableDeltaV1, 'ingress' | 'egress'>> {
  return before === after || sameData(before, after) ? {} : { [direction]: after };
}

function groupDelta(
  before: AddressGroup | undefined,
  after: AddressGroup,
  touched: Touched,
): GroupDeltaV1 | undefined {
  const added: string[] = [];
  const removed: string[] = [];
  for (const [address, was, is] of after.members.since(before?.members)) {
    touch(touched, address, is !== undefined);
    if (was === undefined) added.push(address);
    if (is === undefined) removed.push(address);
  }
  // Schema 1 has the named ports in the directory.
  for (const [address] of after.ports?.since(before?.ports) ?? [])
    touch(touched, address, after.members.has(address));
  if (before === undefined) return { kind: 'set', group: groupToV1(after) };
  return added.length + removed.length === 0 ? undefined : { kind: 'members', added, removed };
}

/** Whether the directory of a pod's table has an address. */
function isMentioned({ subject, groups }: Table, address: string): boolean {
  return subject.ips.includes(address) || [...groups.values()].some(({ members }) => members.has(address));
}
