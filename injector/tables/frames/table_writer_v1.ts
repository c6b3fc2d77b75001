/** Tables of schema 1 as lines of JSON, for sidecars of an earlier version. What many tables have in common becomes bytes once. */
import { oneStep, type Steps } from '../../../common/steps.ts';
import {
  type DirectoryV1,
  deltaToV1,
  SCHEMA_1,
  sameData,
  type Table,
  type TableGroups,
  tableToV1,
} from '../../../policy/index.ts';
import { type FrameBytes, smallFrame } from './frame_bytes.ts';
import { bytesOf } from './part_bytes.ts';
import type { TableWriter } from './table_writer.ts';

/** The parts of a table that come from its groups: they are the same for all pods of a namespace with the same policies. */
interface GroupParts {
  readonly groups: Buffer;
  /** Without the braces. */
  readonly pods: Buffer;
  readonly namespaces: Buffer;
}

/** The writer for one cluster. */
export class TableWriterV1 implements TableWriter {
  readonly #directory: () => DirectoryV1;
  /** As long as the members of groups are the same, their pods match the groups' selectors: names may be a little old. */
  readonly #parts = new WeakMap<TableGroups, GroupParts>();
  readonly #services = new WeakMap<Table['services'], Buffer>();

  /** @param directory as the cluster is now */
  constructor(directory: () => DirectoryV1) {
    this.#directory = directory;
  }

  snapshot(table: Table): Steps<FrameBytes> {
    return oneStep(() => this.#snapshot(table));
  }

  change(before: Table, after: Table): Steps<FrameBytes | undefined> {
    return oneStep(() => {
      if (saysTheSame(before, after)) return undefined;
      return smallFrame({ type: 'delta', delta: deltaToV1(before, after, this.#directory()) });
    });
  }

  #snapshot(table: Table): FrameBytes {
    const { groups, pods, namespaces } = this.#partsOf(table);
    const { subject, ingress, egress } = tableToV1({ ...table, groups: new Map() }, this.#directory());
    const head = JSON.stringify({
      type: 'snapshot',
      table: { schema: SCHEMA_1, revision: table.revision, subject, ingress, egress },
    });
    const own = this.#ownPods(table);
    return [
      Buffer.from(`${head.slice(0, -2)},"groups":`),
      groups,
      Buffer.from(`,"pods":{`),
      pods,
      Buffer.from(pods.length > 0 && own.length > 0 ? `,${own}` : own),
      Buffer.from('},"namespaces":'),
      namespaces,
      Buffer.from(',"services":'),
      this.#servicesOf(table),
      Buffer.from('}}\n'),
    ];
  }

  #partsOf(table: Table): GroupParts {
    const known = this.#parts.get(table.groups);
    if (known !== undefined) return known;
    const withoutOwn = { ...table, subject: { ...table.subject, ips: [] } };
    const { groups, pods, namespaces } = tableToV1(withoutOwn, this.#directory());
    const made = {
      groups: bytesOf(groups),
      pods: Buffer.from(JSON.stringify(pods).slice(1, -1)),
      namespaces: bytesOf(namespaces),
    };
    this.#parts.set(table.groups, made);
    return made;
  }

  /** The entries of the pod's own addresses that no group has. */
  #ownPods({ subject, groups }: Table): string {
    const own = subject.ips.filter((ip) => ![...groups.values()].some(({ members }) => members.has(ip)));
    const { owner } = this.#directory();
    return own
      .flatMap((ip) => {
        const pod = owner(ip);
        return pod === undefined ? [] : [`${JSON.stringify(ip)}:${JSON.stringify(pod)}`];
      })
      .join();
  }

  #servicesOf({ services }: Table): Buffer {
    const known = this.#services.get(services);
    if (known !== undefined) return known;
    const made = bytesOf(Object.fromEntries(services));
    this.#services.set(services, made);
    return made;
  }
}

/** Whether two tables have the same parts: parts that say the same are the same objects. */
function saysTheSame(before: Table, after: Table): boolean {
  return (
    before.policies === after.policies &&
    before.groups === after.groups &&
    before.services === after.services &&
    sameData(before.subject, after.subject)
  );
}
