/** A flow that ended and was neither denied nor cut: what is known of it, until somebody asks for its record. */

import type { FlowRecord } from '../../flows/index.ts';
import type { Owner, Owners } from '../table/index.ts';
import { type FlowFacts, peerOf, recordOf } from './flow_record.ts';
import type { PassedRecord } from './history.ts';

/** Who the other side is was asked when the flow ended: later, another pod may have its address. */
export class PassedFlow implements PassedRecord {
  readonly #facts: FlowFacts;
  readonly #atMs = Date.now();
  readonly #owner: Owner;
  /** Absent where it was known already, or nobody has to be asked. */
  readonly #answer: Promise<Owner> | undefined;

  /** @param owners are asked; absent: nobody has to be */
  constructor(facts: FlowFacts, owners: Owners | undefined) {
    this.#facts = facts;
    const { address, tag } = peerOf(facts);
    this.#owner = owners?.known(address, tag, 'name');
    if (this.#owner === undefined) this.#answer = owners?.find(address, tag, 'name');
  }

  /** Its record: at once where it is known who the other side is, and else within the time that an answer may take. */
  record(): FlowRecord | Promise<FlowRecord> {
    return this.#answer === undefined
      ? this.#made(this.#owner)
      : this.#answer.then((owner) => this.#made(owner));
  }

  #made(owner: Owner): FlowRecord {
    return recordOf(this.#facts, this.#facts.verdict, owner ?? undefined, new Date(this.#atMs));
  }
}
