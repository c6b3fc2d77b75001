/** Who has an address, and who had it when a window was counted. */
import { isIP } from 'node:net';
import { Recent } from '../../../common/recent.ts';
import type { ObservedEnd } from '../../../flows/index.ts';
import {
  type ChangeOrder,
  Directory,
  type Node,
  objectKey,
  type Pod,
  type PodIdentity,
} from '../../../policy/index.ts';
import { ServiceNames } from './services.ts';
import { lastingWorkload } from './workload.ts';

/** How long a former owner is known, ms: longer than any window waits to be sent. */
const KEPT_MS = 5 * 60_000;

/** Former owners, some 300 bytes each. With more the oldest are forgotten early. */
const MAX_FORMER = 20_000;

/** Addresses of nodes that only the status of pods tells of, some 150 bytes each. */
const MAX_NODE_ADDRESSES = 20_000;

/** Addresses of the cluster's are those beside pods: a node's pods have a block of this many bits, as a rule. */
const BLOCK_BITS = { 4: 24, 6: 64 } as const;

/** An end, and its pod. */
export interface NamedEnd {
  readonly end: ObservedEnd;
  /** Name of the pod; empty where it is none. */
  readonly pod: string;
}

/** What a pod asked for at the address of a Service. */
export interface NamedService extends NamedEnd {
  /** `namespace/name` */
  readonly service: string;
  /** Of the backends, where it is known and one. */
  readonly port: number;
}

interface Owner {
  readonly named: NamedEnd;
  /** Since when, ms since 1970; 0: since before the collector began. */
  readonly sinceMs: number;
}

interface FormerOwner {
  readonly named: NamedEnd;
  readonly untilMs: number;
}

/** Takes in pods and nodes as they change. Times are of the injector's clock. */
export class Names {
  readonly #pods = new Map<string, Pod>();
  readonly #nodes = new Map<string, Node>();
  readonly #directory = new Directory();
  readonly #owners = new Map<string, Owner>();
  readonly #former = new Recent<string, FormerOwner>(MAX_FORMER);
  readonly services = new ServiceNames();
  readonly #nodeNames = new Map<string, string>();
  /** By address, as the status of pods has it. */
  readonly #hosts = new Recent<string, string>(MAX_NODE_ADDRESSES);
  /** How many owned addresses are in a block. */
  readonly #blocks = new Map<string, number>();

  /** @param sinceMs 0 while what was there before is told */
  putPod(key: string, pod: Pod | undefined, order: ChangeOrder, sinceMs: number): void {
    const before = this.#pods.get(key);
    if (pod === undefined) this.#pods.delete(key);
    else this.#pods.set(key, pod);
    if (pod?.nodeName !== undefined)
      for (const address of pod.hostIPs) this.#hosts.keep(address, pod.nodeName);
    for (const change of this.#directory.replace(before, pod, order))
      this.#own(change.address, change.before, change.after, sinceMs);
  }

  putNode(name: string, node: Node | undefined): void {
    for (const address of this.#nodes.get(name)?.addresses ?? [])
      if (this.#nodeNames.get(address) === name) this.#nodeNames.delete(address);
    if (node === undefined) {
      this.#nodes.delete(name);
      return;
    }
    this.#nodes.set(name, node);
    for (const address of node.addresses) this.#nodeNames.set(address, name);
  }

  #own(
    address: string,
    before: PodIdentity | undefined,
    after: PodIdentity | undefined,
    sinceMs: number,
  ): void {
    const known = this.#owners.get(address);
    if (before !== undefined && known !== undefined && before.uid !== after?.uid)
      this.#former.keep(address, { named: known.named, untilMs: sinceMs });
    this.#former.dropWhile(({ untilMs }) => sinceMs - untilMs >= KEPT_MS);
    if (after === undefined) {
      this.#owners.delete(address);
      this.#countBlock(address, -1);
      return;
    }
    if (known === undefined) this.#countBlock(address, 1);
    const isSame = known !== undefined && before?.uid === after.uid;
    this.#owners.set(address, { named: namedPod(after), sinceMs: isSame ? known.sinceMs : sinceMs });
  }

  /** The pod of a session. */
  pod(namespace: string, name: string): NamedEnd {
    const pod = this.#pods.get(objectKey(namespace, name));
    return namedPod(pod ?? { namespace, name, workload: `pod/${name}` });
  }

  /**
   * Who had an address in the time from `fromMs` to `toMs`.
   * @param peer an address, a network, or a word for all others: what is no address is outside the cluster
   */
  peer(peer: string, fromMs: number, toMs: number): NamedEnd {
    const owner = this.#owners.get(peer);
    if (owner !== undefined && owner.sinceMs <= toMs) return owner.named;
    const former = this.#former.get(peer);
    if (former !== undefined && former.untilMs >= fromMs) return former.named;
    // A pod that got the address since: the sidecar's clock is ahead, or nobody else is known.
    if (owner !== undefined) return owner.named;
    if (former !== undefined && toMs - former.untilMs < KEPT_MS) return former.named;
    const node = this.#nodeNames.get(peer) ?? this.#hosts.get(peer);
    if (node !== undefined) return { end: { kind: 'node', workload: node }, pod: '' };
    return { end: { kind: this.#isOfCluster(peer) ? 'unknown' : 'external', address: peer }, pod: '' };
  }

  /**
   * The Service at an address: its workload and their port where all its backends are of one, so that it is the edge that they
   * report; else the Service's own address. Undefined: there is none.
   */
  service(
    peer: string,
    protocol: string,
    port: number,
    fromMs: number,
    toMs: number,
  ): NamedService | undefined {
    const asked = this.services.find(peer, protocol, port);
    if (asked === undefined) return undefined;
    const ends = asked.backends.map((address) => this.peer(address, fromMs, toMs).end);
    const [first] = ends;
    const isOne =
      first?.kind === 'workload' &&
      asked.port !== undefined &&
      ends.every((end) => end.namespace === first.namespace && end.workload === first.workload);
    if (isOne) return { service: asked.key, end: first, pod: '', port: asked.port };
    return { service: asked.key, end: { kind: 'unknown', address: peer }, pod: '', port };
  }

  #isOfCluster(peer: string): boolean {
    return isIP(peer) !== 0 && this.#blocks.has(blockOf(peer));
  }

  #countBlock(address: string, by: number): void {
    const block = blockOf(address);
    const count = (this.#blocks.get(block) ?? 0) + by;
    if (count > 0) this.#blocks.set(block, count);
    else this.#blocks.delete(block);
  }
}

function namedPod({ namespace, name, workload }: Pick<Pod, 'namespace' | 'name' | 'workload'>): NamedEnd {
  return { end: { kind: 'workload', namespace, workload: lastingWorkload(workload) }, pod: name };
}

/** The block of an address, as text. */
export function blockOf(address: string): string {
  if (isIP(address) !== 6) return `${address.split('.').slice(0, 3).join('.')}.0/${BLOCK_BITS[4]}`;
  const [head = '', tail] = address.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const words = [...first, ...Array.from({ length: zeros }, () => '0'), ...last];
  return `${words.slice(0, 4).join(':')}/${BLOCK_BITS[6]}`;
}
