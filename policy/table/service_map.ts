/**
 * The virtual ports of a table, in shards: parts of a bounded size, each of which becomes bytes and a digest by itself. Where a port
 * stands follows from its key and from what else there is, and from nothing else: two processes have the same shards of the same ports.
 */

import { PersistentMap } from '../../common/persistent_map.ts';
import type { VirtualPort } from './virtual_port.ts';

/** Ports of one shard. The same object as long as they are the same. */
export type ServiceShard = PersistentMap<VirtualPort>;

/** What differs between two maps, by key: the values before and now. */
type Differences = Generator<
  readonly [key: string, before: VirtualPort | undefined, now: VirtualPort | undefined],
  void,
  void
>;

/**
 * Ports and backends of a shard; a backend takes some 40 bytes: 800 kB of JSON, made in steps and packed in 5 ms. Smaller shards
 * pack worse, and each is one more piece to send. Part of the digests, as `PORT_WEIGHT` is: two versions with other values send each
 * other all Services once.
 */
const SHARD_WEIGHT = 20_000;

/** What a port weighs without its backends. */
const PORT_WEIGHT = 3;

/** Bits of a hash. A tenant that chooses addresses and ports finds too few that have all of them in common. */
const BITS = 32;

interface Leaf {
  readonly ports: ServiceShard;
  readonly weight: number;
}

/** Ports by the next bit of their hash. */
type Node = Leaf | readonly [Node, Node];

type Entry = readonly [hash: number, key: string, port: VirtualPort];

type Change = readonly [hash: number, key: string, value: VirtualPort | undefined];

/**
 * Virtual ports by their key, as a `PersistentMap`; compared by identity. A change costs the shards that it touches, of which each has
 * 20,000 ports and backends at most, or one port.
 */
export class ServiceMap {
  readonly #root: Node;
  readonly #mostWeight: number;
  readonly size: number;

  private constructor(root: Node, mostWeight: number) {
    this.#root = root;
    this.#mostWeight = mostWeight;
    this.size = sizeOf(root);
  }

  /** @param mostWeight of a shard; default 20,000 ports and backends */
  static from(
    entries: Iterable<readonly [string, VirtualPort]>,
    mostWeight: number = SHARD_WEIGHT,
  ): ServiceMap {
    return new ServiceMap(NOTHING, mostWeight).with(entries);
  }

  get(key: string): VirtualPort | undefined {
    return found(this.#root, key, hashOf(key));
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The map with other values for some keys; `undefined`: the key is gone. The same map where nothing differs. */
  with(changes: Iterable<readonly [string, VirtualPort | undefined]>): ServiceMap {
    const all = [...new Map(changes)].map(([key, value]): Change => [hashOf(key), key, value]);
    const root = changed(this.#root, all, 0, this.#mostWeight);
    return root === this.#root ? this : new ServiceMap(root, this.#mostWeight);
  }

  /** The shards that have any port, by a name that stays while the shard has others beside it. */
  *shards(): Generator<readonly [name: string, shard: ServiceShard], void, void> {
    yield* shardsOf(this.#root, '');
  }

  /** In no order that means anything. */
  *entries(): Generator<[string, VirtualPort], void, void> {
    for (const [, ports] of this.shards()) yield* ports;
  }

  [Symbol.iterator](): Generator<[string, VirtualPort], void, void> {
    return this.entries();
  }

  *keys(): Generator<string, void, void> {
    for (const [, ports] of this.shards()) yield* ports.keys();
  }

  *values(): Generator<VirtualPort, void, void> {
    for (const [, ports] of this.shards()) yield* ports.values();
  }

  /** What differs from an earlier map. Shards that both share are not looked into. */
  *since(before: ServiceMap | undefined): Differences {
    yield* differences(before === undefined ? NOTHING : before.#root, this.#root, 0);
  }
}

const NOTHING: Leaf = { ports: PersistentMap.from<VirtualPort>([]), weight: 0 };

function isLeaf(node: Node): node is Leaf {
  return 'ports' in node;
}

function weightOf(port: VirtualPort | undefined): number {
  return port === undefined ? 0 : PORT_WEIGHT + port.backends.length;
}

function sizeOf(node: Node): number {
  return isLeaf(node) ? node.ports.size : sizeOf(node[0]) + sizeOf(node[1]);
}

function found(from: Node, key: string, hash: number): VirtualPort | undefined {
  let node = from;
  for (let bits = hash; !isLeaf(node); bits >>>= 1) node = (bits & 1) === 0 ? node[0] : node[1];
  return node.ports.get(key);
}

/** @param changes of keys that belong to the node @param depth of the node */
function changed(node: Node, changes: readonly Change[], depth: number, most: number): Node {
  if (changes.length === 0) return node;
  if (isLeaf(node) && node.ports.size === 0) {
    const come = changes.flatMap(([hash, key, port]): Entry[] =>
      port === undefined ? [] : [[hash, key, port]],
    );
    return come.length === 0 ? node : nodeOf(come, depth, most);
  }
  if (isLeaf(node)) {
    const ports = node.ports.with(changes.map(([, key, value]) => [key, value] as const));
    if (ports === node.ports) return node;
    let { weight } = node;
    for (const [, before, now] of ports.since(node.ports)) weight += weightOf(now) - weightOf(before);
    return divided({ ports, weight }, depth, most);
  }
  const [low, high] = halves(changes, depth);
  const next = [changed(node[0], low, depth + 1, most), changed(node[1], high, depth + 1, most)] as const;
  if (next[0] === node[0] && next[1] === node[1]) return node;
  const [a, b] = next;
  const isOne = isLeaf(a) && isLeaf(b) && isShard(a.ports.size + b.ports.size, a.weight + b.weight, most);
  return isOne ? { ports: a.ports.with(b.ports), weight: a.weight + b.weight } : next;
}

/** Whether so much is one shard. What nothing divides is one as well. */
function isShard(size: number, weight: number, most: number): boolean {
  return weight <= most || size <= 1;
}

function divided(leaf: Leaf, depth: number, most: number): Node {
  if (isShard(leaf.ports.size, leaf.weight, most)) return leaf;
  return nodeOf(
    [...leaf.ports].map(([key, port]) => [hashOf(key), key, port] as const),
    depth,
    most,
  );
}

function nodeOf(entries: readonly Entry[], depth: number, most: number): Node {
  const weight = entries.reduce((sum, [, , port]) => sum + weightOf(port), 0);
  if (isShard(entries.length, weight, most) || depth === BITS)
    return { ports: PersistentMap.from(entries.map(([, key, port]) => [key, port] as const)), weight };
  const [low, high] = halves(entries, depth);
  return [nodeOf(low, depth + 1, most), nodeOf(high, depth + 1, most)];
}

function halves<T extends readonly [hash: number, ...unknown[]]>(
  list: readonly T[],
  depth: number,
): readonly [T[], T[]] {
  const [low, high]: [T[], T[]] = [[], []];
  for (const one of list) (((one[0] >>> depth) & 1) === 0 ? low : high).push(one);
  return [low, high];
}

function* shardsOf(node: Node, name: string): Generator<readonly [string, ServiceShard], void, void> {
  if (!isLeaf(node)) {
    yield* shardsOf(node[0], `${name}0`);
    yield* shardsOf(node[1], `${name}1`);
  } else if (node.ports.size > 0) yield [name, node.ports];
}

function* differences(was: Node, is: Node, depth: number): Differences {
  if (was === is) return;
  if (isLeaf(was) && isLeaf(is)) return yield* is.ports.since(was.ports);
  if (!isLeaf(was) && !isLeaf(is)) {
    yield* differences(was[0], is[0], depth + 1);
    yield* differences(was[1], is[1], depth + 1);
    return;
  }
  for (const [, ports] of shardsOf(is, '')) {
    for (const [key, now] of ports) {
      const before = found(was, key, hashOf(key) >>> depth);
      if (before !== now) yield [key, before, now];
    }
  }
  for (const [, ports] of shardsOf(was, ''))
    for (const [key, before] of ports)
      if (found(is, key, hashOf(key) >>> depth) === undefined) yield [key, before, undefined];
}

/**
 * FNV-1a, and the last steps of MurmurHash3, so that each bit is as good as another. It has no key: processes have to agree.
 * @returns 32 bits
 */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
