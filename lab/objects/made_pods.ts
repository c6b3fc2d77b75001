/**
 * Pods that a lab makes itself: those of workloads that come without pods, as controllers would make them, and addresses for
 * pods that nobody has given any. They stand in the store like the user's, so that the injector has them too.
 */

import { fieldsOf } from '../../common/shape.ts';
import { formatAddress, parseCidr } from '../../policy/index.ts';
import type { Manifests } from '../../sources/index.ts';
import {
  clusterOf,
  createWorkloads,
  type DocumentObject,
  isWorkloadKind,
  makeTemplatePod,
  objectId,
  type RawManifest,
  readDocument,
  type Template,
  templatePodManifest,
  WORKLOAD_KINDS,
} from '../../sources/index.ts';

/** Says of a pod which workload the lab has made it for: `deploy/web`. */
const MADE_FOR = 'lab.sluice.dev/made-for';

/** Pods of one workload, however many replicas it has: enough to see them apart. */
const MAX_PODS = 5;

/** Where a node's pods live when its `spec.podCIDR` does not say; `N` is the number of the node. */
const DEFAULT_POD_CIDR = '10.244.N.0/24';

/** The first address of a range is the node's own, in most clusters. */
const FIRST_HOST = 2;

/** Addresses of one range that are looked at: more pods than a lab can hold. */
const MAX_HOSTS = 65_536;

const WORD_BITS = 32;

/** A node and the ranges that its pods have addresses of. */
interface PodRange {
  readonly node: string | undefined;
  readonly cidrs: readonly string[];
}

/** What is put into a lab, and what goes because it has been made for something that has changed. */
export interface LabObjects {
  readonly put: readonly DocumentObject[];
  readonly remove: readonly DocumentObject[];
}

/**
 * Completes manifests for a lab.
 * @param known the objects that the lab has: pods keep their addresses, and those that it made for a workload go where that
 *   makes them no more
 * @param reserved canonical addresses that no pod may get
 * @param warn is called with what is left out, a sentence each
 * @throws SluiceError `OBJECT_INVALID` when a template is broken
 */
export function completeForLab(
  manifests: Manifests,
  known: readonly DocumentObject[],
  reserved: readonly string[],
  warn: (line: string) => void,
): LabObjects {
  const given = byId([...known.filter((object) => madeFor(object) === undefined), ...manifests.objects]);
  const ranges = podRanges(given);
  const placer = new Placer(given, known, reserved);
  const put = manifests.objects.map((object, turn) =>
    isWithoutStatus(object) ? placer.place(object.raw, rangeOf(object.raw, ranges, turn)) : object,
  );
  const workloads = createWorkloads(clusterOf(given), manifests.others).withoutPods();
  const made = workloads.flatMap((template) =>
    manifestsOf(template, ranges, warn).map((raw, turn) => placer.place(raw, rangeOf(raw, ranges, turn))),
  );
  const ids = new Set(made.map(objectId));
  const gone = madePodsOf(manifests, known).filter((object) => !ids.has(objectId(object)));
  return { put: [...put, ...made], remove: gone };
}

/** The pods that a lab made for workloads which these manifests name. */
export function madePodsOf(
  manifests: Manifests,
  known: readonly DocumentObject[],
): readonly DocumentObject[] {
  const named = new Set(
    manifests.others.flatMap(({ kind, raw }) => {
      const { namespace, name } = fieldsOf(raw.metadata);
      return isWorkloadKind(kind) ? [`${namespace}/${WORKLOAD_KINDS[kind]}/${name}`] : [];
    }),
  );
  return known.filter((object) => named.has(madeFor(object) ?? ''));
}

/** `namespace/deploy/web`; undefined for what the lab did not make for a workload. */
function madeFor(object: DocumentObject): string | undefined {
  if (object.kind !== 'Pod') return undefined;
  const workload = fieldsOf(fieldsOf(object.raw.metadata).annotations)[MADE_FOR];
  return typeof workload === 'string' ? `${object.object.namespace}/${workload}` : undefined;
}

/** A pod as people write one: a dump says its phase, and what is pending there stays so. */
function isWithoutStatus(object: DocumentObject): boolean {
  return object.kind === 'Pod' && Object.keys(fieldsOf(object.raw.status)).length === 0;
}

/** The pods of a workload, without addresses. */
function manifestsOf(
  { workload, kind, owner }: Template,
  ranges: readonly PodRange[],
  warn: (line: string) => void,
): readonly RawManifest[] {
  const { replicas } = fieldsOf(workload.raw.spec);
  const wanted = kind === 'DaemonSet' ? ranges.length : kind.endsWith('Job') ? 1 : Number(replicas ?? 1); // null is none given
  if (wanted > MAX_PODS)
    warn(`${owner.namespace}/${owner.text} has ${wanted} pods: the lab makes ${MAX_PODS} of them`);
  return Array.from({ length: Math.min(wanted, MAX_PODS) }, (_, replica) => {
    makeTemplatePod(workload, kind, owner, replica); // Says what is wrong with the template.
    const pod = templatePodManifest(workload, kind, owner, replica);
    const metadata = fieldsOf(pod.metadata);
    const annotations = { ...fieldsOf(metadata.annotations), [MADE_FOR]: owner.text };
    return { ...pod, metadata: { ...metadata, annotations } };
  });
}

/** The nodes of the manifests with their ranges; one without a name where there is none. */
function podRanges(objects: readonly DocumentObject[]): readonly PodRange[] {
  const nodes = objects.filter((object) => object.kind === 'Node');
  const ranges = nodes.map((object, index) => {
    const { podCIDR, podCIDRs } = fieldsOf(object.raw.spec);
    const written = [...(Array.isArray(podCIDRs) ? podCIDRs : []), podCIDR].filter(
      (text) => typeof text === 'string' && parseCidr(text) !== undefined,
    );
    const cidrs = written.length > 0 ? [...new Set(written)] : [defaultCidr(index)];
    return { node: object.key, cidrs };
  });
  return ranges.length > 0 ? ranges : [{ node: undefined, cidrs: [defaultCidr(0)] }];
}

function defaultCidr(index: number): string {
  return DEFAULT_POD_CIDR.replace('N', String(index));
}

/** The range of the node that a pod names, else of the one whose turn it is. */
function rangeOf(raw: RawManifest, ranges: readonly PodRange[], turn: number): PodRange {
  const { nodeName } = fieldsOf(raw.spec);
  const named = ranges.find(({ node }) => node === nodeName);
  const next = named ?? ranges[turn % ranges.length];
  if (next === undefined) throw new Error('a lab has at least one range of addresses');
  return typeof nodeName === 'string' ? { ...next, node: nodeName } : next;
}

/** Gives pods their nodes and addresses. */
class Placer {
  readonly #known: ReadonlyMap<string, DocumentObject>;
  readonly #taken: Set<string>;
  /** The first host of each range that has not been looked at: those before it stay taken. */
  readonly #next = new Map<string, number>();

  constructor(
    given: readonly DocumentObject[],
    known: readonly DocumentObject[],
    reserved: readonly string[],
  ) {
    this.#known = new Map(known.map((object) => [objectId(object), object]));
    this.#taken = new Set([...reserved, ...[...given, ...known].flatMap(addressesOf)]);
  }

  place(raw: RawManifest, { node, cidrs }: PodRange): DocumentObject {
    const earlier = this.#known.get(objectId(readPod(raw)));
    const before = earlier?.kind === 'Pod' ? earlier.object : undefined;
    // A pod stays where it is, even if its workload changes.
    const nodeName = fieldsOf(raw.spec).nodeName ?? before?.nodeName ?? node;
    const spec = { ...fieldsOf(raw.spec), ...(nodeName === undefined ? {} : { nodeName }) };
    const pod = readPod({ ...raw, spec, status: { phase: 'Running' } });
    if (pod.object.hostNetwork) return pod;
    const kept = before?.ips ?? [];
    const ips = kept.length > 0 ? kept : cidrs.flatMap((cidr) => this.#take(cidr) ?? []);
    const podIPs = ips.map((ip) => ({ ip }));
    return readPod({ ...pod.raw, status: { phase: 'Running', podIP: ips[0], podIPs } });
  }

  /** The next free address of a range; undefined when it is full. */
  #take(text: string): string | undefined {
    const block = parseCidr(text)?.cidr;
    const last = block?.words.at(-1);
    if (block === undefined || last === undefined) return undefined;
    const bits = block.words.length * WORD_BITS - block.prefix;
    const size = Math.min(2 ** bits, MAX_HOSTS);
    for (let host = this.#next.get(text) ?? FIRST_HOST; host < size - 1; host += 1) {
      this.#next.set(text, host + 1);
      const address = formatAddress([...block.words.slice(0, -1), last + host]);
      if (this.#taken.has(address)) continue;
      this.#taken.add(address);
      return address;
    }
    return undefined;
  }
}

function addressesOf(object: DocumentObject): readonly string[] {
  switch (object.kind) {
    case 'Pod':
      return object.object.ips;
    case 'Node':
      return object.object.addresses;
    case 'Service':
      return [...object.object.clusterIPs, ...(object.object.externalIPs ?? [])];
    default:
      return [];
  }
}

function readPod(raw: RawManifest): Extract<DocumentObject, { kind: 'Pod' }> {
  const [object] = readDocument(JSON.stringify(raw), 1).objects;
  if (object?.kind !== 'Pod') throw new Error('a pod that was read before is none');
  return object;
}

function byId(objects: readonly DocumentObject[]): readonly DocumentObject[] {
  return [...new Map(objects.map((object) => [objectId(object), object])).values()];
}
