/** Tells the collector's worker who has which address: of pods and nodes what names them, and nothing else. */
import { setImmediate } from 'node:timers/promises';
import type { ClusterChange, EndpointSlice, Node, Pod, Service } from '../../policy/index.ts';
import type { ClusterSource, SourceListener } from '../source.ts';
import type { Changed, ToWorker } from './messages.ts';

/** Objects in one message: some 5 ms of a turn. */
const AT_ONCE = 500;

/** Endpoints of one slice that are told. */
const MAX_ENDPOINTS = 16;

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
    const services: Changed<Service>[] = [];
    const slices: Changed<EndpointSlice>[] = [];
    for (const { kind, key, object } of changes) {
      if (kind === 'Pod') pods.push(changed(key, object && named(object)));
      else if (kind === 'Node') nodes.push(changed(key, object));
      else if (kind === 'Service') services.push(changed(key, object));
      else if (kind === 'EndpointSlice') slices.push(changed(key, object && sliceStart(object)));
    }
    if (pods.length > 0) this.#tellPods(pods, false);
    this.#tell('nodes', nodes);
    this.#tell('services', services);
    this.#tell('slices', slices);
  }

  /** The maps are views: what is told late is told as it is by then. Pods last: their edges name the others. */
  async #tellAll(): Promise<void> {
    const { pods, nodes, services, endpointSlices } = this.#source.cluster;
    await this.#inTurns(
      nodes,
      (node) => node,
      (changes) => this.#tell('nodes', changes),
    );
    await this.#inTurns(
      services,
      (service) => service,
      (changes) => this.#tell('services', changes),
    );
    await this.#inTurns(endpointSlices, sliceStart, (changes) => this.#tell('slices', changes));
    await this.#inTurns(pods, named, (changes) => this.#tellPods(changes, true));
  }

  async #inTurns<T>(
    map: ReadonlyMap<string, T>,
    short: (object: T) => T,
    tell: (changes: readonly Changed<T>[]) => void,
  ): Promise<void> {
    for (const some of inParts(map)) {
      if (this.#isClosed) return;
      tell(some.map(([key, object]) => changed(key, short(object))));
      await setImmediate();
    }
  }

  #tellPods(changes: readonly Changed<Pod>[], isFirst: boolean): void {
    const order = isFirst ? 'found' : this.#source.changeOrder;
    this.#post({ type: 'pods', changes, order, isFirst });
  }

  #tell(type: 'nodes', changes: readonly Changed<Node>[]): void;
  #tell(type: 'services', changes: readonly Changed<Service>[]): void;
  #tell(type: 'slices', changes: readonly Changed<EndpointSlice>[]): void;
  #tell(type: 'nodes' | 'services' | 'slices', changes: readonly Changed<never>[]): void {
    if (changes.length > 0) this.#post({ type, changes });
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

/** Some of a slice's endpoints: whose they are is the same for all, as a rule. */
function sliceStart(slice: EndpointSlice): EndpointSlice {
  return {
    ...slice,
    endpoints: slice.endpoints
      .slice(0, MAX_ENDPOINTS)
      .map(({ addresses, ready }) => ({ addresses: addresses.slice(0, 1), ready })),
  };
}
