/** A question, and what an answer to it says. */
import type { Direction, FlowVerdict, PolicyRef, Protocol, Service, Verdict } from '../../policy/index.ts';
import type { Party } from './endpoint_resolver.ts';
import type { Front } from './service_fronts.ts';

/** A question, as it was asked. */
export interface Question {
  readonly from: string;
  readonly to: string;
  /** `8080`, `53/UDP`, `http`; absent where `to` has it, as `svc/web:http`. */
  readonly port?: string;
  /** Every port that the destination declares or a policy names, instead of one. */
  readonly allPorts?: true;
  /** Where it is given apart from the port. */
  readonly protocol?: string;
}

/** The verdict about one place that a flow may go to. */
export interface Judged {
  readonly destination: Party;
  /** The number that policy sees at the destination. */
  readonly port: number;
  readonly flow: FlowVerdict;
  /** The policies that isolate the source for egress and the destination for ingress, also where they allow the flow. */
  readonly isolating: Readonly<Record<Direction, readonly PolicyRef[]>>;
}

/** A Service that was asked about. */
export interface AskedService {
  readonly service: Service;
  /** Its own number of the port. */
  readonly port: number;
  /** Where it was met; absent where it was named. */
  readonly front?: Front;
  /** All its ready backends that connections may go to by what the nodes know, judged. */
  readonly backends: readonly Judged[];
  /**
   * Those that connections go to: the ones that the source's egress policies allow, where they isolate it, for then its
   * sidecar picks one of them; else all.
   */
  readonly candidates: readonly Judged[];
}

/** The answer. Without a Service the destination itself is what was judged; with one, a backend that decides. */
export interface Answer extends Judged {
  readonly source: Party;
  readonly protocol: Protocol;
  /** The number that was asked about, also where the question named the port; a Service's own, or its nodes'. */
  readonly askedPort: number;
  /** `partly`: some of the backends that connections go to let them in, others do not. */
  readonly verdict: 'allow' | 'deny' | 'partly';
  readonly service?: AskedService;
  /** Where an end is a block of addresses: its parts, of which the fields above are one that decides. */
  readonly block?: readonly AnsweredPart[];
  /** What the verdict rests on without being known, a sentence each. */
  readonly notes: readonly string[];
}

/** Addresses of a block that all get the same answer. */
export interface AnsweredPart {
  /** First and last address of each run, both inclusive. */
  readonly ranges: readonly { readonly first: string; readonly last: string }[];
  readonly answer: Answer;
}

/** The answer about every port. */
export interface PortsAnswer {
  readonly verdict: Answer['verdict'];
  /** In order of protocol and number. */
  readonly ports: readonly AnsweredPorts[];
}

/** Ports that all get the same answer. */
export interface AnsweredPorts {
  readonly protocol: Protocol;
  /** Both inclusive. */
  readonly first: number;
  readonly last: number;
  /** What the destination calls a single port. */
  readonly name?: string;
  readonly answer: Answer;
}

/** What many answers come to. */
export function verdictOf(answers: readonly Pick<Answer, 'verdict'>[]): Answer['verdict'] {
  const [first = 'deny', ...others] = new Set(answers.map(({ verdict }) => verdict));
  return others.length === 0 ? first : 'partly';
}

/** Answers that say the same for the same reason have the same text. */
export function reasonKey({ verdict, flow }: Answer): string {
  return JSON.stringify([verdict, ...[flow.egress, flow.ingress].map(reasonOf)]);
}

/** Without the near miss: it says what was asked. */
function reasonOf(verdict: Verdict): readonly unknown[] {
  return verdict.reason === 'rule'
    ? [verdict.reason, verdict.policy.namespace, verdict.policy.name, verdict.rule]
    : [verdict.verdict, verdict.reason];
}
