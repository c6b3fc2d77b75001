/** Tables that follow one another as a stream brings them: what an edit does not touch is the same object. */

import fc from 'fast-check';
import { unreachable } from '../../../../common/errors.ts';
import { createCompiler, isSubject, type Table } from '../../../../policy/index.ts';
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
      const group = at(Object.keys(table.groups), pick);
      const address = at([...Object.keys(table.pods), '10.0.0.77', 'fd00::77'], other);
      if (group === undefined || address === undefined) return table;
      const known = table.groups[group];
      const members = new Set(known?.members);
      if (!members.delete(address)) members.add(address);
      return {
        ...table,
        groups: { ...table.groups, [group]: { ...known, members: [...members].sort() } },
      };
    }
    case 'pod': {
      const addresses = [...new Set(Object.values(table.groups).flatMap(({ members }) => members))];
      const address = at(addresses, pick);
      if (address === undefined) return table;
      const { [address]: gone, ...others } = table.pods;
      const port = { name: 'http', protocol: 'TCP', port: 79 + (other % 3) } as const;
      const pod = { namespace: 'a', name: 'new', uid: 'new', workload: 'pod/new', labels: {}, ports: [port] };
      return { ...table, pods: gone === undefined ? { ...table.pods, [address]: pod } : others };
    }
    case 'backend': {
      const key = at(Object.keys(table.services), pick);
      const service = key === undefined ? undefined : table.services[key];
      if (key === undefined || service === undefined) return table;
      const gone = at(service.backends, other);
      const backends =
        gone === undefined
          ? addressesLike(key, table).map((address) => ({ address, port: 80 }))
          : service.backends.filter((one) => one !== gone);
      return { ...table, services: { ...table.services, [key]: { ...service, backends } } };
    }
    case 'rules': {
      const direction = pick % 2 === 0 ? 'ingress' : 'egress';
      const { rules } = table[direction];
      const left = rules.filter((_, index) => index !== other % (rules.length + 1));
      return { ...table, [direction]: { ...table[direction], rules: left } };
    }
    case 'node': {
      const nodeIPs = pick % 2 === 0 ? [] : ['192.168.0.9', ...Object.keys(table.pods).slice(0, other % 2)];
      return { ...table, subject: { ...table.subject, nodeIPs } };
    }
    default:
      return unreachable(kind);
  }
}

/** Pods' addresses of the family that a virtual port has. */
function addressesLike(virtual: string, { pods }: Table): readonly string[] {
  const isIPv6 = virtual.includes(':');
  return Object.keys(pods).filter((address) => address.includes(':') === isIPv6);
}

function at<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(list.length, 1)];
}
