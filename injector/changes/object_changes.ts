/**
 * The last changes of objects, by revision. A record of a flow that was cut carries the revision of the table that allowed it and of
 * the one that did not: what ended the flow came in force between the two. Revisions are those of one run of one injector. They begin
 * at a time, so that those of another run or replica mostly are below: of a flow that such a table allowed, nothing is claimed.
 */
import { CUT_ENDS, type FlowRecord, type FlowSide, type NamedChange } from '../../flows/index.ts';
import { type CommittedChanges, MAX_CHANGES } from './committed_changes.ts';

const CUTS: ReadonlySet<string> = new Set(CUT_ENDS);

interface Noted {
  readonly revision: number;
  readonly change: NamedChange;
}

/** Whether a change may be what ended a flow. */
type Suspicion = (change: NamedChange) => boolean;

/** Keeps them, and finds the one that ended a flow. */
export class ObjectChanges {
  /** By kind, in order of revision. */
  readonly #byKind = new Map<string, Noted[]>();
  /** All later changes are noted. Earlier revisions are those of another run or replica. */
  #began = Number.POSITIVE_INFINITY;

  /** Changes after this revision are noted from now on. Until this is called no cause is found. */
  begin(revision: number): void {
    this.#began = revision;
  }

  /** To be called in order of revision. */
  note({ revision, changes }: CommittedChanges): void {
    for (const change of changes) {
      const noted = this.#byKind.get(change.kind) ?? [];
      this.#byKind.set(change.kind, noted);
      noted.push({ revision, change });
      // Seldom, for it moves all that stay.
      if (noted.length >= 2 * MAX_CHANGES) noted.splice(0, noted.length - MAX_CHANGES);
    }
  }

  /** What came in force with a revision, kind by kind; empty where that is not known any more. */
  changeOf(revision: number): readonly NamedChange[] {
    return [...this.#byKind.keys()].flatMap((kind) =>
      this.#between(kind, revision - 1, revision).map(({ change }) => change),
    );
  }

  /**
   * The change that ended a flow, as far as objects that the record names have changed; undefined where none of them has, of a flow
   * that no change has ended, and of one that was allowed before `begin`. Of several the one that says most: the policy that had allowed the flow, then one that isolates the
   * pod, then the pods and their namespaces.
   */
  causeOf(record: FlowRecord): NamedChange | undefined {
    const { was, end, revision } = record;
    const after = was?.revision ?? revision - 1;
    if (!CUTS.has(end) || after < this.#began) return undefined;
    for (const [kind, isSuspect] of suspectsOf(record)) {
      const found = this.#between(kind, after, revision).findLast(({ change }) => isSuspect(change));
      if (found !== undefined) return found.change;
    }
    return undefined;
  }

  /** Of one kind, after one revision and up to another. */
  #between(kind: string, after: number, upTo: number): readonly Noted[] {
    const noted = this.#byKind.get(kind) ?? [];
    return noted.slice(firstAfter(noted, after), firstAfter(noted, upTo));
  }
}

/** Where the changes after a revision begin. */
function firstAfter(noted: readonly Noted[], revision: number): number {
  let [low, high] = [0, noted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((noted[middle]?.revision ?? 0) > revision) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What may have ended the flow of a record, kind by kind, the likeliest first. */
function suspectsOf(record: FlowRecord): readonly (readonly [kind: string, Suspicion])[] {
  const { was, isolating = [], direction, src, dst, end } = record;
  const [subject, peer] = direction === 'ingress' ? [dst, src] : [src, dst];
  const policies: readonly (readonly [string, Suspicion])[] = [
    ['NetworkPolicy', (change) => keyOf(change) === was?.policy],
    ['NetworkPolicy', (change) => isolating.includes(keyOf(change))],
  ];
  const ends: readonly (readonly [string, Suspicion])[] = [
    ['Pod', isPod(peer)],
    ['Pod', isPod(subject)],
    ['Namespace', ({ name }) => name === peer.namespace],
    ['Namespace', ({ name }) => name === subject.namespace],
  ];
  switch (end) {
    case 'peer-replaced':
      return ends;
    case 'service-unresolved':
      // A policy has isolated the pod, which the record does not name; or the Service is new.
      return [
        ['Service', (change) => keyOf(change) === dst.service],
        ['NetworkPolicy', ({ namespace }) => namespace !== undefined && namespace === subject.namespace],
        ...ends,
      ];
    default:
      return was?.reason === 'own-node'
        ? [['Node', () => true], ...policies, ...ends]
        : [...policies, ...ends];
  }
}

function isPod({ namespace, pod }: FlowSide): Suspicion {
  return (change) => pod !== undefined && change.namespace === namespace && change.name === pod;
}

function keyOf({ namespace, name }: NamedChange): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
