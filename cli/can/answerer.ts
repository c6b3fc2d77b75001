/** Answers one question: who the two ends are, what the verdict is, and why. */

import { SluiceError } from '../../common/errors.ts';
import { firstFew } from '../../common/first_few.ts';
import {
  addressOwners,
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
import type { UnlistedKind } from '../input/index.ts';
import { type BlockPart, createAddressBlocks } from './address_blocks.ts';
import {
  type Answer,
  type AnsweredPorts,
  type Judged,
  type PortsAnswer,
  type Question,
  reasonKey,
  verdictOf,
} from './answer.ts';
import {
  type BlockParty,
  createEndpointResolver,
  type Party,
  partyName,
  type ServiceParty,
} from './endpoint_resolver.ts';
import { createNodePorts } from './node_ports.ts';
import { createNotes } from './notes.ts';
import { portRanges } from './port_ranges.ts';
import { findServicePort, type PortRef, parsePortRef, resolvePort } from './port_ref.ts';
import { type Backend, createBackends } from './service_backends.ts';
import { createServiceFronts, type Front, hidesSource } from './service_fronts.ts';

/** Answers questions about one set of manifests. */
export interface Answerer {
  /** @throws SluiceError when an end or the port is not known or not well-formed. */
  answer(question: Question): Answer;
  /**
   * The same for every port, in runs that get the same answer.
   * @throws as `answer`, and `INPUT_TOO_LARGE` where policies tell too many ports apart, or ports and parts of a block together
   */
  answerPorts(question: Question): PortsAnswer;
}

/** Settings of an answerer. */
export interface AnswererOptions {
  /** The namespace of names without one, from `-n`. */
  readonly namespace?: string;
  /** The same for the destination. */
  readonly toNamespace?: string;
  /** What is asked, for messages; default `manifests`. */
  readonly noun?: string;
  /** Kinds whose names are not all known; default none. */
  readonly unlisted?: readonly UnlistedKind[];
  /** Whether errors offer near names; off where many questions are asked. */
  readonly suggest: boolean;
}

/** Judgements of one question: all ranges of ports, of each part of a block. Each takes some 0.2 ms: a few seconds. */
export const MAX_JUDGEMENTS = 16_384;

/** Two ends, asked about at any port. */
interface BetweenEnds {
  /** Of the block that one of them is; 1 where none is. Each costs a judgement a port. */
  readonly parts: number;
  at(port: PortRef): Answer;
}

/** What depends on the manifests only is worked out once. */
export function createAnswerer(manifests: Manifests, options: AnswererOptions): Answerer {
  const { cluster } = manifests;
  const workloads = createWorkloads(cluster, manifests.others);
  const fronts = createServiceFronts(cluster);
  const resolver = createEndpointResolver(manifests, {
    noun: 'manifests',
    unlisted: [],
    ...options,
    workloads,
    fronts,
  });
  const owners = addressOwners(cluster);
  const blocks = createAddressBlocks(cluster);
  const evaluator = createEvaluator(cluster);
  const policies = policiesByNamespace(cluster);
  const backends = createBackends(cluster, workloads);
  const notes = createNotes(cluster, createNodePorts(manifests));

  const isolating = (pod: Pod | undefined, direction: Direction): readonly PolicyRef[] =>
    pod === undefined || !isSubject(pod)
      ? []
      : isolatingPolicies(policies.get(pod.namespace) ?? [], pod, direction).map(policyRef);

  /** @param servicePort what was asked for, where a Service translates it */
  const judge = (
    source: Party,
    destination: Party,
    protocol: Protocol,
    port: number,
    servicePort?: number,
  ): Judged => ({
    destination,
    port,
    flow: evaluator.evaluate({
      source: source.endpoint,
      destination: destination.endpoint,
      protocol,
      port,
      ...(servicePort === undefined ? {} : { servicePort }),
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
    const judged = judge(source, party, protocol, port, behind.port);
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
        ? judge(source, backend.party, port.protocol, backend.port, port.port)
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

  const answerOne = (source: Party, named: Party | ServiceParty, portRef: PortRef): Answer => {
    const destination = 'service' in named ? named : meet(named, portRef);
    if (!('service' in destination)) {
      const owner = destination.pod;
      const at: Endpoint = owner === undefined ? destination.endpoint : { kind: 'pod', pod: owner };
      const judged = judge(
        source,
        destination,
        portRef.protocol,
        resolvePort(portRef, at, partyName(destination)),
      );
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
  };

  /** One address of each part of a block that policies tell apart. */
  const answerBlock = (
    party: BlockParty,
    cut: readonly BlockPart[],
    answerAt: (party: Party) => Answer,
  ): Answer => {
    const parts = new Map<string, { ranges: { first: string; last: string }[]; answer: Answer }>();
    const refused = new Map<string, SluiceError>();
    for (const { first, last, address } of cut) {
      const pod = owners.get(address);
      const one: Party = {
        text: party.text,
        endpoint: { kind: 'address', address },
        fromTemplate: false,
        ofBlock: true,
        ...(pod === undefined ? {} : { pod }),
      };
      const answer = attempt(() => answerAt(one));
      if (answer instanceof SluiceError) {
        const service = pod === undefined ? fronts.ownerOf(address) : undefined;
        if (service === undefined) throw answer;
        refused.set(`${service.namespace}/svc/${service.name}`, answer);
        continue;
      }
      const key = reasonKey(answer);
      const known = parts.get(key);
      if (known === undefined) parts.set(key, { ranges: [{ first, last }], answer });
      else known.ranges.push({ first, last });
    }
    const answered = [...parts.values()];
    const deciding = answered.find(({ answer }) => answer.verdict !== 'allow') ?? answered[0];
    if (deciding === undefined) {
      const [error] = refused.values();
      throw error ?? new SluiceError('ENDPOINT_INVALID', `${party.text} has no address that is nobody's`);
    }
    const { notes: ofAnswer } = deciding.answer;
    return {
      ...deciding.answer,
      verdict: verdictOf(answered.map(({ answer }) => answer)),
      block: answered,
      notes: refused.size === 0 ? ofAnswer : [...ofAnswer, refusedNote([...refused.keys()])],
    };
  };

  /** What is asked about any port of two ends: a block is cut once. */
  const between = (
    source: Party | BlockParty,
    destination: Party | ServiceParty | BlockParty,
  ): BetweenEnds => {
    if ('block' in source) {
      if ('block' in destination)
        throw new SluiceError(
          'ENDPOINT_INVALID',
          'both ends are blocks of addresses, and policy selects pods: name one pod',
        );
      const cut = blocks.parts(source.block);
      return {
        parts: cut.length,
        at: (port) => answerBlock(source, cut, (party) => answerOne(party, destination, port)),
      };
    }
    if (!('block' in destination)) return { parts: 1, at: (port) => answerOne(source, destination, port) };
    const cut = blocks.parts(destination.block);
    return {
      parts: cut.length,
      at: (port) => answerBlock(destination, cut, (party) => answerOne(source, party, port)),
    };
  };

  const ends = ({ from, to }: Question) => {
    const source = resolver.source(from);
    return { source, destination: resolver.destination(to, source) };
  };

  return {
    answer(question) {
      const { source, destination } = ends(question);
      const text = portText(question, 'service' in destination ? destination.port : undefined);
      return between(source, destination).at(parsePortRef(text, question.protocol));
    },
    answerPorts(question) {
      const { source, destination } = ends(question);
      const asked = between(source, destination);
      const ranges = portRanges(cluster, source, destination);
      if (ranges.length * asked.parts > MAX_JUDGEMENTS)
        throw new SluiceError(
          'INPUT_TOO_LARGE',
          `${ranges.length} ranges of ports for each of ${asked.parts} parts of the block are more than ` +
            `${MAX_JUDGEMENTS} judgements: ask about one port, or a smaller block`,
        );
      const ports: AnsweredPorts[] = [];
      for (const { protocol, first, last, name } of ranges) {
        const answer = asked.at({ port: first, protocol, protocolWritten: true });
        const before = ports.at(-1);
        const isSame =
          before !== undefined &&
          before.protocol === protocol &&
          before.last === first - 1 &&
          before.name === name &&
          reasonKey(before.answer) === reasonKey(answer);
        if (isSame) ports.splice(-1, 1, { ...before, last });
        else ports.push({ protocol, first, last, answer, ...(name === undefined ? {} : { name }) });
      }
      return { verdict: verdictOf(ports.map(({ answer }) => answer)), ports };
    },
  };
}

/** Returns a SluiceError as a value: other parts of the block still have an answer. */
function attempt(answer: () => Answer): Answer | SluiceError {
  try {
    return answer();
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
}

/** Services that a note names; more are only counted. */
const MAX_REFUSING = 3;

function refusedNote(services: readonly string[]): string {
  return (
    `left out, because nodes refuse connections to Services without this port, or without backends: ` +
    firstFew(services, MAX_REFUSING)
  );
}

/** The port of a question, from one of the two places that may have it. */
function portText({ port, to }: Question, ofService: string | undefined): string {
  const text = port ?? ofService;
  if (text === undefined) throw new SluiceError('PORT_INVALID', `'${to}' needs a port`);
  if (port !== undefined && ofService !== undefined)
    throw new SluiceError('PORT_INVALID', `'${to}' has its port: '${port}' is one too many`);
  return text;
}
