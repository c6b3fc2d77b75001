/** The JSON form of an answer, the same for `-o json` and `--batch`. docs/reference/cli.md describes each field. */
import { unreachable } from '../../common/errors.ts';
import type { PolicyRef, Verdict } from '../../policy/index.ts';
import type { Answer, AskedService, PortsAnswer } from './answer.ts';
import type { Party } from './endpoint_resolver.ts';
import { refName } from './ref_name.ts';

/** Names the form of what `sluice can` prints as JSON: docs/schema/can.v1.json. */
export const CAN_SCHEMA = 'sluice.dev/can/v1';

/** What was found for one end of the flow. */
export interface PartyJson {
  /** `namespace/name`; absent when no pod of the manifests owns the address. */
  readonly pod?: string;
  /** Such as `deploy/web`; `pod/x` where the pod has no owner. */
  readonly workload?: string;
  /** The pod is made from its workload's template. */
  readonly from_template?: true;
  /** Canonical. Empty when the pod has none. */
  readonly addresses: readonly string[];
}

/** Why one direction allows or denies. */
export interface DirectionJson {
  readonly verdict: 'allow' | 'deny';
  readonly reason: Verdict['reason'];
  /** The policies, `namespace/name`, that isolate the side this direction is judged at. */
  readonly isolating: readonly string[];
  /** With reason `rule`: the policy that admits the flow. */
  readonly policy?: string;
  /** With reason `rule`: index in the policy's `spec.ingress` or `spec.egress`. */
  readonly rule?: number;
  /** With reason `no-rule`, where there is a rule at all: the one that came nearest. */
  readonly near_miss?: {
    readonly policy: string;
    readonly rule: number;
    readonly failed: string;
    readonly wanted: string;
    readonly got: string;
  };
}

/** The answer's part of the output; the question's own fields stand before it. */
export interface AnswerJson {
  readonly verdict: 'allow' | 'deny' | 'partly';
  readonly egress: DirectionJson;
  readonly ingress: DirectionJson;
  readonly source: PartyJson;
  readonly destination: PartyJson;
  /** Where the question is about a Service. The fields above are then those of a backend that decides. */
  readonly service?: ServiceJson;
  /** Where an end is a block of addresses: its parts. The fields above are then those of a part that decides. */
  readonly block?: readonly BlockPartJson[];
  /** What the verdict rests on without being known; absent where there is nothing. */
  readonly notes?: readonly string[];
}

/** Addresses of a block that all get the same answer. */
export interface BlockPartJson {
  readonly ranges: readonly { readonly first: string; readonly last: string }[];
  readonly verdict: 'allow' | 'deny' | 'partly';
  readonly egress: DirectionJson;
  readonly ingress: DirectionJson;
}

/** Ports that all get the same answer. */
export interface PortsJson {
  readonly verdict: 'allow' | 'deny' | 'partly';
  readonly source?: PartyJson;
  readonly ports: readonly {
    readonly protocol: string;
    readonly first: number;
    readonly last: number;
    readonly name?: string;
    readonly verdict: 'allow' | 'deny' | 'partly';
    readonly egress: DirectionJson;
    readonly ingress: DirectionJson;
  }[];
  /** As in an answer about one port. */
  readonly notes?: readonly string[];
}

/** The answer about every port. @param inputNotes what could not be read, and so is not known */
export function portsJson({ verdict, ports }: PortsAnswer, inputNotes: readonly string[] = []): PortsJson {
  const [first] = ports;
  return {
    verdict,
    ...(first === undefined ? {} : { source: partyJson(first.answer.source) }),
    ports: ports.map(({ answer, ...range }) => ({
      ...range,
      verdict: answer.verdict,
      ...directionsJson(answer),
    })),
    ...notesJson([...inputNotes, ...ports.flatMap(({ answer }) => answer.notes)]),
  };
}

function notesJson(notes: readonly string[]): Pick<AnswerJson, 'notes'> {
  return notes.length === 0 ? {} : { notes: [...new Set(notes)] };
}

function directionsJson({ flow, isolating }: Answer): Pick<AnswerJson, 'egress' | 'ingress'> {
  return {
    egress: directionJson(flow.egress, isolating.egress),
    ingress: directionJson(flow.ingress, isolating.ingress),
  };
}

/** A Service and its ready backends. */
export interface ServiceJson {
  /** `namespace/name`. */
  readonly name: string;
  /** The address that was asked about. */
  readonly address?: string;
  /** The Service's own. */
  readonly port: number;
  /** Where the address is a node's: the port that was asked about. */
  readonly node_port?: number;
  readonly backends: readonly BackendJson[];
}

/** One backend. */
export interface BackendJson {
  readonly verdict: 'allow' | 'deny';
  /** What policy sees. */
  readonly port: number;
  /** Absent: the source's sidecar sends no connection there. */
  readonly used?: true;
  readonly egress: DirectionJson;
  readonly ingress: DirectionJson;
  readonly destination: PartyJson;
}

/** Plain data for `JSON.stringify`. @param inputNotes what could not be read, and so is not known */
export function answerJson(answer: Answer, inputNotes: readonly string[] = []): AnswerJson {
  return {
    verdict: answer.verdict,
    ...directionsJson(answer),
    source: partyJson(answer.source),
    destination: partyJson(answer.destination),
    ...(answer.service === undefined ? {} : { service: serviceJson(answer.service) }),
    ...(answer.block === undefined
      ? {}
      : {
          block: answer.block.map(({ ranges, answer: part }) => ({
            ranges,
            verdict: part.verdict,
            ...directionsJson(part),
          })),
        }),
    ...notesJson([...inputNotes, ...answer.notes]),
  };
}

function serviceJson({ service, port, front, backends, candidates }: AskedService): ServiceJson {
  const used = new Set(candidates);
  return {
    name: refName(service),
    ...(front === undefined ? {} : { address: front.address }),
    port,
    ...(front?.kind === 'node' ? { node_port: front.nodePort } : {}),
    backends: backends.map((backend) => ({
      verdict: backend.flow.verdict,
      port: backend.port,
      ...(used.has(backend) ? { used: true } : {}),
      egress: directionJson(backend.flow.egress, backend.isolating.egress),
      ingress: directionJson(backend.flow.ingress, backend.isolating.ingress),
      destination: partyJson(backend.destination),
    })),
  };
}

function directionJson(verdict: Verdict, isolating: readonly PolicyRef[]): DirectionJson {
  const common = { verdict: verdict.verdict, reason: verdict.reason, isolating: isolating.map(refName) };
  switch (verdict.reason) {
    case 'rule':
      return { ...common, policy: refName(verdict.policy), rule: verdict.rule };
    case 'no-rule': {
      const [nearest] = verdict.near ?? [];
      if (nearest === undefined) return common;
      const { policy, rule, tests } = nearest;
      const [{ failed, wanted, got }] = tests;
      return { ...common, near_miss: { policy: refName(policy), rule, failed, wanted, got } };
    }
    case 'not-isolated':
    case 'self':
    case 'own-node':
    case 'not-a-pod':
    case 'no-table':
      return common;
    default:
      return unreachable(verdict);
  }
}

function partyJson(party: Party): PartyJson {
  const { pod, endpoint } = party;
  if (pod === undefined) return { addresses: endpoint.kind === 'address' ? [endpoint.address] : [] };
  return {
    pod: refName(pod),
    workload: pod.workload,
    ...(party.fromTemplate ? { from_template: true } : {}),
    addresses: pod.ips,
  };
}
