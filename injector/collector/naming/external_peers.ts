/** Bounds the addresses outside the cluster that one workload's flows are kept by. */
import { isIP } from 'node:net';
import { OTHER_PEERS } from '../../../flows/index.ts';
import { blockOf } from './names.ts';

/** Addresses, and again networks, that have a place of their own, for each workload and hour. */
const MAX_EXACT = 256;

/** Workloads that are counted; those beyond them have all outside addresses as one. */
const MAX_WORKLOADS = 20_000;

const HOUR_MS = 3_600_000;

/** Starts over every hour. */
export class ExternalPeers {
  #hour = 0;
  readonly #seen = new Map<string, { readonly addresses: Set<string>; readonly networks: Set<string> }>();

  /** What an address outside the cluster is kept as: itself, its /24 or /64, or `OTHER_PEERS`. */
  placeOf(workload: string, peer: string, atMs: number): string {
    const hour = Math.floor(atMs / HOUR_MS);
    if (hour > this.#hour) {
      this.#hour = hour;
      this.#seen.clear();
    }
    if (peer === OTHER_PEERS) return peer;
    let seen = this.#seen.get(workload);
    if (seen === undefined) {
      if (this.#seen.size >= MAX_WORKLOADS) return OTHER_PEERS;
      seen = { addresses: new Set(), networks: new Set() };
      this.#seen.set(workload, seen);
    }
    if (isIP(peer) !== 0 && isPlaced(seen.addresses, peer)) return peer;
    const network = isIP(peer) === 0 ? peer : blockOf(peer);
    return isPlaced(seen.networks, network) ? network : OTHER_PEERS;
  }
}

function isPlaced(places: Set<string>, one: string): boolean {
  if (places.has(one)) return true;
  if (places.size >= MAX_EXACT) return false;
  places.add(one);
  return true;
}
