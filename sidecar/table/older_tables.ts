/**
 * Tables of schema 1, from an injector that speaks nothing else. They become tables as this sidecar has them, and the names of pods
 * that they carry become answers, as if they had been asked.
 */
import { SluiceError } from '../../common/errors.ts';
import {
  applyDelta,
  type PeerIdentity,
  type TableDeltaV1,
  type TableV1,
  tableFromV1,
  tagOf,
  touchedPeersV1,
} from '../../policy/index.ts';
import type { Enforcement } from './enforcement.ts';
import { NAMED_MAX } from './owners.ts';

/** Puts in force what comes on one connection. A table or delta that is refused leaves all as it was. */
export class OlderTables {
  readonly #enforcement: Enforcement;
  readonly #identified: (address: string, pod: PeerIdentity, tag: string) => void;
  /** What deltas continue; absent before the first snapshot. */
  #table: TableV1 | undefined;

  /** @param identified takes who has an address */
  constructor(
    enforcement: Enforcement,
    identified: (address: string, pod: PeerIdentity, tag: string) => void,
  ) {
    this.#enforcement = enforcement;
    this.#identified = identified;
  }

  /** As `Enforcement.replace`. */
  replace(table: TableV1): number {
    return this.#put(table, undefined, Object.keys(table.pods));
  }

  /** As `Enforcement.apply`. */
  apply(delta: TableDeltaV1): number {
    if (this.#table === undefined)
      throw new SluiceError('TABLE_GAP', `a delta from ${delta.from} came before any snapshot`);
    const table = applyDelta(this.#table, delta);
    return this.#put(table, touchedPeersV1(delta), Object.keys(delta.pods ?? {}));
  }

  #put(table: TableV1, touched: ReadonlySet<string> | undefined, named: readonly string[]): number {
    const ended = this.#enforcement.replace(tableFromV1(table, this.#enforcement.table), touched);
    this.#table = table;
    for (const address of named.slice(0, NAMED_MAX)) this.#name(table, address);
    return ended;
  }

  #name({ pods, namespaces }: TableV1, address: string): void {
    const pod = Object.hasOwn(pods, address) ? pods[address] : undefined;
    if (pod === undefined) return;
    const { uid, ...known } = pod;
    const labels = Object.hasOwn(namespaces, pod.namespace) ? namespaces[pod.namespace] : undefined;
    this.#identified(address, { ...known, namespaceLabels: labels ?? {} }, tagOf(uid));
  }
}
