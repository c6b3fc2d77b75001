/** Tells the collector's worker who has which address: of pods and nodes what names them, and nothing else. */
import { setImmediate } from 'node:timers/promises';
import type { ClusterChange, Node, Pod } from '../../policy/index.ts';
import type { ClusterSource, SourceListener } from '../source.ts';
import type { Changed, ToWorker } from './messages.ts';

/** Objects in one message: some 5 ms of a turn. */
const AT_ONCE = 500;

/** From its making until `close`. What is there is told first, in turns; what changes meanwhile is told as it comes. */
export class ClusterFeed implements SourceListener {
  readonly #source: ClusterSource;
  readonly #post: (message: ToWorker) => void;
  readonly #unsubscribe: () => void;
  #isClosed = false;

  constructor(source: ClusterSource, post: (message: ToWorker) => void) {
    this.#source = source;
    this.#post = post;
    this.#unsubscribe = source.onChange(this);
    void this.#tellAll();
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
  }

  /** See `SourceListener`. */
  clusterChanged(changes: readonly ClusterChange[]): void {
    const pods: Changed<Pod>[] = [];
    const nodes: Changed<Node>[] = [];
    for (const { kind, key, object } of changes) {
      if (kind === 'Pod') pods.push(changed(key, object && named(object)));
      else if (kind === 'Node') nodes.push(changed(key, object));
    }
    this.#tellPods(pods, false);
    this.#tellNodes(nodes);
  }

  /** The maps are views: what is told late is told as it is by then. */
  async #tellAll(): Promise<void> {
    const { pods, nodes } = this.#source.cluster;
    for (const some of inParts(nodes)) {
      this.#tellNodes(some.map(([key, node]) => changed(key, node)));
      await setImmediate();
    }
    for (const some of inParts(pods)) {
      if (this.#isClosed) return;
      this.#tellPods(
        some.map(([key, pod]) => changed(key, named(pod))),
        true,
      );
      await setImmediate();
    }
  }

  #tellPods(changes: readonly Changed<Pod>[], isFirst: boolean): void {
    const order = isFirst ? 'found' : this.#source.changeOrder;
    if (changes.length > 0) this.#post({ type: 'pods', changes, order, isFirst });
  }

  #tellNodes(changes: readonly Changed<Node>[]): void {
    if (changes.length > 0) this.#post({ type: 'nodes', changes });
  }
}

function changed<T>(key: string, object: T | undefined): Changed<T> {
  return object === undefined ? { key } : { key, object };
}

function* inParts<T>(map: ReadonlyMap<string, T>): Generator<readonly [string, T][]> {
  let part: [string, T][] = [];
  for (const entry of map) {
    part.push(entry);
    if (part.length < AT_ONCE) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

/** Without what only verdicts need. */
function named(pod: Pod): Pod {
  return { ...pod, labels: {}, ports: [] };
}
