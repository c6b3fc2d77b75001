/** What was said of single flows that were denied or cut: the latest for each pair of ends is kept. */
import { PROTOCOLS } from '../../../common/net.ts';
import { Recent } from '../../../common/recent.ts';
import { integer, list, oneOf, part, text } from '../../../common/shape.ts';
import {
  type AllowedBefore,
  allowedBefore,
  CUT_ENDS,
  type FlowRecord,
  flowRecord,
  type NamedChange,
  type NearRule,
  nearRule,
} from '../../../flows/index.ts';
import type { EdgeKind, Said } from '../sums/index.ts';

/** Pairs of ends, some 1 kB each. With more the oldest are forgotten. */
const MAX_KEPT = 10_000;

/** Longest sentence that is kept, and how many policies and rules, and texts of a rule: ours are shorter. */
const MAX_TEXT = 1_000;
const MAX_ISOLATING = 20;
const MAX_NEAR = 3;
const MAX_LACKS = 10;

const whole = integer(0, Number.MAX_SAFE_INTEGER);

/** As much of a record as is read here: what else it has is kept as text. */
const record = part(
  {
    direction: oneOf('ingress', 'egress'),
    verdict: text(),
    end: text(),
    protocol: oneOf(...PROTOCOLS),
    src: part({ addr: text() }),
    dst: part({ addr: text(), port: whole }),
  },
  {
    isolating: list(text()),
    near: list(nearRule),
    explanation: text(),
    was: allowedBefore,
  },
);

const CUTS: ReadonlySet<string> = new Set(CUT_ENDS);

/** A single flow, as far as it says more of an edge. */
export interface SaidOfFlow {
  readonly edge: Pick<EdgeKind, 'direction' | 'outcome' | 'protocol' | 'port'>;
  /** Address of the other end. */
  readonly peer: string;
  readonly said: Said;
}

/**
 * Reads the JSON of a record.
 * @param causeOf the change that ended a flow
 * @throws Error where it is none
 */
export function readSaid(json: string, causeOf: (cut: FlowRecord) => NamedChange | undefined): SaidOfFlow {
  const value: unknown = JSON.parse(json);
  const one = record.read(value, 'event', (problem) => new Error(problem));
  const { direction, protocol, src, dst, explanation, isolating, near, was } = one;
  const change = flowRecord.holds(value) ? causeOf(value) : undefined;
  const denied = one.verdict === 'deny';
  return {
    edge: {
      direction,
      protocol,
      port: dst.port,
      outcome: CUTS.has(one.end) ? 'cut' : denied ? 'deny' : 'audit',
    },
    peer: direction === 'ingress' ? src.addr : dst.addr,
    said: {
      ...(explanation === undefined ? {} : { explanation: explanation.slice(0, MAX_TEXT) }),
      ...(isolating === undefined ? {} : { isolating: isolating.slice(0, MAX_ISOLATING).map(bounded) }),
      ...(near === undefined ? {} : { near: near.slice(0, MAX_NEAR).map(boundedRule) }),
      ...(was === undefined ? {} : { was: boundedBefore(was) }),
      ...(change === undefined ? {} : { change }),
    },
  };
}

/** By what an edge and a single flow have in common. */
export class Explanations {
  readonly #kept = new Recent<string, Said>(MAX_KEPT);

  keep(edge: SaidKind, said: Said): void {
    this.#kept.keep(saidKey(edge), said);
  }

  of(edge: SaidKind): Said | undefined {
    return edge.outcome === 'allow' ? undefined : this.#kept.get(saidKey(edge));
  }
}

type SaidKind = Pick<EdgeKind, 'src' | 'dst' | 'direction' | 'outcome' | 'protocol' | 'port'>;

function saidKey({ src, dst, direction, outcome, protocol, port }: SaidKind): string {
  const ends = [src, dst].flatMap(({ kind, namespace, workload, address }) => [
    kind,
    namespace,
    workload,
    address,
  ]);
  return JSON.stringify([...ends, direction, outcome, protocol, port]);
}

function bounded(one: string): string {
  return one.slice(0, MAX_TEXT);
}

function boundedBefore({ policy, ...before }: AllowedBefore): AllowedBefore {
  return policy === undefined ? before : { ...before, policy: bounded(policy) };
}

function boundedRule({ policy, rule, lacks }: NearRule): NearRule {
  return { policy: bounded(policy), rule, lacks: lacks.slice(0, MAX_LACKS).map(bounded) };
}
