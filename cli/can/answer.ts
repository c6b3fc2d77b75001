/** Answers one question: who the two ends are, what the verdict is, and why. */
import type { Manifests } from '../../injector/manifests.ts';
import {
  createEvaluator,
  type Direction,
  type FlowVerdict,
  isolatingPolicies,
  isSubject,
  type Pod,
  type PolicyRef,
  type Protocol,
  policiesByNamespace,
  policyRef,
} from '../../policy/index.ts';
import { createEndpointResolver, type Party } from './endpoint_resolver.ts';
import { parsePortRef, resolvePort } from './port_ref.ts';

/** A question, as it was asked. */
export interface Question {
  readonly from: string;
  readonly to: string;
  /** `8080`, `53/UDP`, `http`. */
  readonly port: string;
  /** Where it is given apart from the port. */
  readonly protocol?: string;
}

/** The answer. */
export interface Answer {
  readonly source: Party;
  readonly destination: Party;
  readonly protocol: Protocol;
  /** The number, also where the question named the port. */
  readonly port: number;
  readonly flow: FlowVerdict;
  /** The policies that isolate the source for egress and the destination for ingress, whatever the verdict. */
  readonly isolating: Readonly<Record<Direction, readonly PolicyRef[]>>;
}

/** Answers questions about one set of manifests. */
export interface Answerer {
  /** @throws SluiceError when an end or the port is not known or not well-formed. */
  answer(question: Question): Answer;
}

/** Settings of an answerer. */
export interface AnswererOptions {
  /** The namespace of names without one, from `-n`. */
  readonly namespace?: string;
  /** Whether errors offer near names; off where many questions are asked. */
  readonly suggest: boolean;
}

/** What depends on the manifests only is worked out once. */
export function createAnswerer(manifests: Manifests, options: AnswererOptions): Answerer {
  const resolver = createEndpointResolver(manifests, options);
  const evaluator = createEvaluator(manifests.cluster);
  const policies = policiesByNamespace(manifests.cluster);

  const isolating = (pod: Pod | undefined, direction: Direction): readonly PolicyRef[] =>
    pod === undefined || !isSubject(pod)
      ? []
      : isolatingPolicies(policies.get(pod.namespace) ?? [], pod, direction).map(policyRef);

  return {
    answer(question) {
      const source = resolver.resolve(question.from);
      const destination = resolver.resolve(question.to, source);
      const portRef = parsePortRef(question.port, question.protocol);
      const { protocol } = portRef;
      const owner = destination.pod;
      const port = resolvePort(
        portRef,
        owner === undefined ? destination.endpoint : { kind: 'pod', pod: owner },
      );
      return {
        source,
        destination,
        protocol,
        port,
        flow: evaluator.evaluate({
          source: source.endpoint,
          destination: destination.endpoint,
          protocol,
          port,
        }),
        isolating: { egress: isolating(source.pod, 'egress'), ingress: isolating(owner, 'ingress') },
      };
    },
  };
}
