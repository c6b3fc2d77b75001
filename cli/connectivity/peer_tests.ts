/**
 * The peers that rules name, each once, and which of them an end is. To rules two ends that are the same of these, and have the
 * same named ports, are the same end.
 */
import {
  type Cluster,
  type ContainerPort,
  type Labels,
  matchesSelector,
  namespaceLabels,
  type ResolvedPeer,
} from '../../policy/index.ts';
import type { Region } from './networks.ts';

/** An end as rules see it. */
export interface Peer {
  /** Number among all that were asked for. */
  readonly id: number;
  /** Which of the peers that rules name it is, by their numbers. */
  readonly is: ReadonlySet<number>;
  /** The named ports that it has, of the names that rules use. */
  readonly ports: readonly ContainerPort[];
  /** Equal where these are. */
  readonly portsKey: string;
}

/** What rules may know of an end. */
export interface PeerFacts {
  /** Absent: an address without a pod, or a pod on the network of its node. */
  readonly pod?: {
    readonly namespace: string;
    /** Those that selectors ask for. */
    readonly labels: Labels;
    readonly ports: readonly ContainerPort[];
  };
  /** Where its address is; absent: it has none. */
  readonly region?: Region;
}

type PodsTest = Extract<ResolvedPeer, { kind: 'pods' }>;

/** Numbers peer tests as they come, and then says which of them ends are. */
export class PeerTests {
  readonly #cluster: Cluster;
  readonly #numbers = new Map<string, number>();
  /** Of pods of one namespace. */
  readonly #inNamespace = new Map<string, (readonly [number, PodsTest])[]>();
  readonly #anywhere: (readonly [number, PodsTest])[] = [];
  readonly #byBlock = new Map<string, (readonly [number, ReadonlySet<string>])[]>();
  readonly #chosen = new Map<string, readonly (readonly [number, PodsTest])[]>();
  readonly #ofPod = new Map<string, readonly number[]>();
  readonly #ofRegion = new Map<Region, readonly number[]>();
  readonly #peers = new Map<string, Peer>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** What the numbers stand for, by number: equal for equal peers of any cluster. */
  get texts(): readonly string[] {
    return [...this.#numbers.keys()];
  }

  /** All are numbered before the first end is asked about. */
  number(test: ResolvedPeer): number {
    const key = JSON.stringify(test);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    if (test.kind === 'ipBlock') addTo(this.#byBlock, test.cidr, [number, new Set(test.except)]);
    else if (test.namespace !== undefined) addTo(this.#inNamespace, test.namespace, [number, test]);
    else this.#anywhere.push([number, test]);
    return number;
  }

  /** Who this is to rules. */
  peer(facts: PeerFacts): Peer {
    const { pod, region } = facts;
    const is = [
      ...(pod === undefined ? [] : this.#podIs(pod)),
      ...(region === undefined ? [] : this.#regionIs(region)),
    ];
    const ports = pod?.ports ?? [];
    const portsKey = JSON.stringify(ports);
    const key = `${is.join()} ${portsKey}`;
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    const peer = { id: this.#peers.size, is: new Set(is), ports, portsKey };
    this.#peers.set(key, peer);
    return peer;
  }

  #podIs({ namespace, labels }: NonNullable<PeerFacts['pod']>): readonly number[] {
    const key = JSON.stringify([namespace, labels]);
    const known = this.#ofPod.get(key);
    if (known !== undefined) return known;
    const found = this.#testsFor(namespace)
      .filter(([, { podSelector }]) => podSelector === undefined || matchesSelector(podSelector, labels))
      .map(([number]) => number);
    this.#ofPod.set(key, found);
    return found;
  }

  /** Those whose namespace part matches. */
  #testsFor(namespace: string): readonly (readonly [number, PodsTest])[] {
    const known = this.#chosen.get(namespace);
    if (known !== undefined) return known;
    const labels = namespaceLabels(this.#cluster, namespace);
    const found = [
      ...(this.#inNamespace.get(namespace) ?? []),
      ...this.#anywhere.filter(
        ([, { namespaceSelector }]) =>
          namespaceSelector !== undefined && matchesSelector(namespaceSelector, labels),
      ),
    ];
    this.#chosen.set(namespace, found);
    return found;
  }

  /** The blocks around a region hold it whole, unless an exception does. */
  #regionIs(region: Region): readonly number[] {
    const known = this.#ofRegion.get(region);
    if (known !== undefined) return known;
    const around: string[] = [];
    for (let one: Region | undefined = region; one !== undefined; one = one.parent) around.push(one.cidr);
    const found = around.flatMap((cidr) =>
      (this.#byBlock.get(cidr) ?? [])
        .filter(([, except]) => !around.some((block) => except.has(block)))
        .map(([number]) => number),
    );
    this.#ofRegion.set(region, found);
    return found;
  }
}

function addTo<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
