/** Tables that follow one another as a stream brings them: what an edit does not touch is the same object. */

import fc from 'fast-check';
import { unreachable } from '../../../../common/errors.ts';
import {
  type AddressGroup,
  createCompiler,
  isSubject,
  type Table,
  tableWith,
} from '../../../../policy/index.ts';
import { readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';

const KINDS = ['member', 'member', 'pod', 'pod', 'backend', 'rules', 'node'] as const;

/** One change of a table; `pick` and `other` choose among what is there. */
interface Edit {
  readonly kind: (typeof KINDS)[number];
  readonly pick: number;
  readonly other: number;
}

const edit = fc.record({ kind: fc.constantFrom(...KINDS), pick: fc.nat(), other: fc.nat() });

/** Tables of several random clusters, each followed by edited ones. */
export function editedTables(edits: number): fc.Arbitrary<readonly Table[]> {
  return fc
    .array(fc.tuple(apiCluster, fc.array(edit, { minLength: edits, maxLength: edits })), {
      minLength: 2,
      maxLength: 2,
    })
    .map((clusters) => {
      const tables: Table[] = [];
      for (const [objects, changes] of clusters) {
        const cluster = readCluster(objects);
        const subject = [...cluster.pods].find(([, pod]) => isSubject(pod) && pod.ips.length > 0)?.[0];
        if (subject === undefined) continue;
        let table = createCompiler(cluster).compile(subject, tables.length + 1);
        tables.push(table);
        for (const change of changes) {
          table = { ...edited(table, change), revision: tables.length + 1 };
          tables.push(table);
        }
      }
      return tables;
    });
}

function edited(table: Table, { kind, pick, other }: Edit): Table {
  switch (kind) {
    case 'member': {
      const [id, group] = at([...table.groups], pick) ?? [];
      const address = at([...addresses(table), '10.0.0.77', 'fd00::77'], other);
      if (id === undefined || group === undefined || address === undefined) return table;
      const members = group.members.with([[address, group.members.has(address) ? undefined : 'new']]);
      return { ...table, groups: new Map(table.groups).set(id, { ...group, members }) };
    }
    case 'pod': {
      const address = at(addresses(table), pick);
      if (address === undefined) return table;
      const groups = [...table.groups].map(([id, group]): [string, AddressGroup] => [
        id,
        withAnotherPod(group, address, other),
      ]);
      return { ...table, groups: new Map(groups) };
    }
    case 'backend': {
      const [key, service] = at([...table.services], pick) ?? [];
      if (key === undefined || service === undefined) return table;
      const gone = at(service.backends, other);
      const backends =
        gone === undefined
          ? addressesLike(key, table).map((address) => ({ address, port: 80 }))
          : service.backends.filter((one) => one !== gone);
      return { ...table, services: table.services.with([[key, { ...service, backends }]]) };
    }
    case 'rules': {
      const direction = pick % 2 === 0 ? 'ingress' : 'egress';
      const [key, policy] = at([...table.policies], pick >> 1) ?? [];
      const rules = policy?.[direction];
      if (key === undefined || policy === undefined || rules === undefined) return table;
      const left = rules.filter((_, index) => index !== other % (rules.length + 1));
      const policies = new Map(table.policies).set(key, { ...policy, [direction]: left });
      return tableWith({ ...table, policies });
    }
    case 'node': {
      const nodeIPs = pick % 2 === 0 ? [] : ['192.168.0.9', ...addresses(table).slice(0, other % 2)];
      return { ...table, subject: { ...table.subject, nodeIPs } };
    }
    default:
      return unreachable(kind);
  }
}

/** Another pod has taken the address over; where the group has ports, it has others or none. */
function withAnotherPod(group: AddressGroup, address: string, pick: number): AddressGroup {
  const tag = group.members.get(address);
  if (tag === undefined) return group;
  const members = group.members.with([[address, `${tag}+`]]);
  if (group.ports === undefined) return { ...group, members };
  const port = { name: 'http', protocol: 'TCP', port: 79 + (pick % 3) } as const;
  const ports = group.ports.with([[address, pick % 4 === 3 ? undefined : [port]]]);
  return { ...group, members, ports };
}

/** Of members of groups. */
function addresses({ groups }: Table): readonly string[] {
  return [...new Set([...groups.values()].flatMap(({ members }) => [...members.keys()]))];
}

/** Pods' addresses of the family that a virtual port has. */
function addressesLike(virtual: string, table: Table): readonly string[] {
  const isIPv6 = virtual.includes(':');
  return addresses(table).filter((address) => address.includes(':') === isIPv6);
}

function at<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(list.length, 1)];
}
