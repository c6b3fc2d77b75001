/** Answers one question: who the two ends are, what the verdict is, and why. */

import { SluiceError } from '../../common/errors.ts';
import {
  createEvaluator,
  type Direction,
  type Endpoint,
  isolatingPolicies,
  isSubject,
  type Pod,
  type PolicyRef,
  type Protocol,
  policiesByNamespace,
  policyRef,
  type Service,
  type ServicePort,
} from '../../policy/index.ts';
import type { Manifests } from '../../sources/index.ts';
import { createWorkloads } from '../../sources/index.ts';
import type { Answer, Judged, Question } from './answer.ts';
import { createEndpointResolver, type Party, type ServiceParty } from './endpoint_resolver.ts';
import { createNodePorts } from './node_ports.ts';
import { createNotes } from './notes.ts';
import { findServicePort, type PortRef, parsePortRef, resolvePort } from './port_ref.ts';
import { type Backend, createBackends } from './service_backends.ts';
import { createServiceFronts, type Front, hidesSource } from './service_fronts.ts';

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
  const { cluster } = manifests;
  const workloads = createWorkloads(cluster, manifests.others);
  const fronts = createServiceFronts(cluster);
  const resolver = createEndpointResolver(manifests, { ...options, workloads, fronts });
  const evaluator = createEvaluator(cluster);
  const policies = policiesByNamespace(cluster);
  const backends = createBackends(cluster, workloads);
  const notes = createNotes(cluster, createNodePorts(manifests));

  const isolating = (pod: Pod | undefined, direction: Direction): readonly PolicyRef[] =>
    pod === undefined || !isSubject(pod)
      ? []
      : isolatingPolicies(policies.get(pod.namespace) ?? [], pod, direction).map(policyRef);

  const judge = (source: Party, destination: Party, protocol: Protocol, port: number): Judged => ({
    destination,
    port,
    flow: evaluator.evaluate({
      source: source.endpoint,
      destination: destination.endpoint,
      protocol,
      port,
    }),
    isolating: {
      egress: isolating(source.pod, 'egress'),
      ingress: isolating(destination.pod, 'ingress'),
    },
  });

  /** An address or a node that translates. The source's egress policies see the flow before that, and a node may hide the source. */
  const judgeBehind = (
    source: Party,
    { party, port }: Backend,
    service: Service,
    front: Front,
    behind: ServicePort,
  ): Judged => {
    const { protocol } = behind;
    const judged = judge(source, party, protocol, port);
    if (front.kind === 'cluster') return judged;
    const at: Endpoint = { kind: 'address', address: front.address };
    const asked = front.kind === 'node' ? front.nodePort : behind.port;
    const { egress } = evaluator.evaluate({
      source: source.endpoint,
      destination: at,
      protocol,
      port: asked,
    });
    const { ingress } = hidesSource(service, front)
      ? evaluator.evaluate({ source: at, destination: party.endpoint, protocol, port })
      : judged.flow;
    const allowed = egress.verdict === 'allow' && ingress.verdict === 'allow';
    return { ...judged, flow: { verdict: allowed ? 'allow' : 'deny', egress, ingress } };
  };

  const ofService = (source: Party, { service, front }: ServiceParty, ref: PortRef) => {
    const port = front?.kind === 'node' ? front.port : findServicePort(ref, service);
    const found = backends.find(service, port, front?.address);
    const reached = front === undefined ? found : backends.reachedFrom(source, found, service, front);
    const all = reached.map((backend) =>
      front === undefined
        ? judge(source, backend.party, port.protocol, backend.port)
        : judgeBehind(source, backend, service, front, port),
    );
    const reachable = all.filter(({ flow }) => flow.egress.verdict === 'allow');
    const candidates = reachable.length > 0 ? reachable : all;
    return {
      protocol: port.protocol,
      askedPort: front?.kind === 'node' ? front.nodePort : port.port,
      service: {
        service,
        port: port.port,
        ...(front === undefined ? {} : { front }),
        backends: all,
        candidates,
      },
    };
  };

  /** The Service that an address with this port is, where no pod owns it. */
  const meet = (destination: Party, ref: PortRef): Party | ServiceParty => {
    const { endpoint, pod, text } = destination;
    if (pod !== undefined || endpoint.kind !== 'address') return destination;
    const met = fronts.find(endpoint.address, ref);
    return met === undefined ? destination : { text, ...met };
  };

  return {
    answer(question) {
      const source = resolver.source(question.from);
      const named = resolver.destination(question.to, source);
      const text = portText(question, 'service' in named ? named.port : undefined);
      const portRef = parsePortRef(text, question.protocol);
      const destination = 'service' in named ? named : meet(named, portRef);
      if (!('service' in destination)) {
        const owner = destination.pod;
        const at: Endpoint = owner === undefined ? destination.endpoint : { kind: 'pod', pod: owner };
        const judged = judge(source, destination, portRef.protocol, resolvePort(portRef, at));
        const answer = {
          ...judged,
          source,
          protocol: portRef.protocol,
          askedPort: judged.port,
          verdict: judged.flow.verdict,
        };
        return { ...answer, notes: notes.of(answer) };
      }
      const { protocol, askedPort, service } = ofService(source, destination, portRef);
      const { candidates } = service;
      const denied = candidates.find(({ flow }) => flow.verdict === 'deny');
      const allowed = candidates.find(({ flow }) => flow.verdict === 'allow');
      const deciding = denied ?? allowed;
      if (deciding === undefined) throw new Error('a Service without backends was answered');
      const verdict = denied === undefined ? 'allow' : allowed === undefined ? 'deny' : 'partly';
      const answer = { ...deciding, source, protocol, askedPort, verdict, service } as const;
      return { ...answer, notes: notes.of(answer) };
    },
  };
}

/** The port of a question, from one of the two places that may have it. */
function portText({ port, to }: Question, ofService: string | undefined): string {
  const text = port ?? ofService;
  if (text === undefined) throw new SluiceError('PORT_INVALID', `'${to}' needs a port`);
  if (port !== undefined && ofService !== undefined)
    throw new SluiceError('PORT_INVALID', `'${to}' has its port: '${port}' is one too many`);
  return text;
}
