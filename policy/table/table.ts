/**
 * One pod's table: all that is needed to judge this pod's flows, and nothing about others' rules. It is the pod itself, its
 * policies, and references to groups: which pods a selector has now. Its parts never change; a changed table shares all others
 * with the one before, and so do the tables of pods that have the same policies. `form.ts` has its form on the wire and on disk.
 */

import type { PersistentMap } from '../../common/persistent_map.ts';
import { list, object, objectFor, problem, refined, type TypeOf, tagged } from '../../common/shape.ts';
import type { ContainerPort, Direction, LabelSelector } from '../model.ts';
import type { TablePort } from '../rules/index.ts';
import type { PolicyRef } from '../verdict.ts';
import { address, anyText, cidr, containerPort, labels, port, protocol, whole } from './parts.ts';
import type { ServiceMap } from './service_map.ts';
import { backend } from './virtual_port.ts';

/** The fields of a subject. */
export const subjectFields = {
  namespace: anyText,
  name: anyText,
  uid: anyText,
  /** Canonical addresses of the pod. */
  ips: list(address),
  /** Canonical addresses of its own node: traffic from and to them is always allowed. */
  nodeIPs: list(address),
  ports: list(containerPort),
};

/** The fields of a subject that may be absent. */
export const subjectOptions = {
  /** Where the injector takes connections, its Service's address among them: none of them is for apps. Absent: not known. */
  injectors: list(backend),
};

/** The form of `Subject`. */
export const subject = object(
  {
    ...subjectFields,
    /** What runs it, such as `Deployment/web`, for records. */
    workload: anyText,
    labels,
  },
  subjectOptions,
);

/** The pod whose table this is. */
export interface Subject extends TypeOf<typeof subject> {}

/** The form of `TablePeer`. */
export const peer = tagged('kind', {
  group: object({ group: anyText }),
  ipBlock: object({ cidr, except: list(cidr) }),
});

/** A peer test: members of an address group, or an address block. */
export type TablePeer = TypeOf<typeof peer>;

/** The form of `TablePort`. A range with one end only would be read as every port. */
export const portTest = refined(
  objectFor<TablePort>({ protocol }, { from: port, to: port, name: anyText }),
  ({ from, to }) => {
    if ((from === undefined) !== (to === undefined)) return problem('must have both from and to, or neither');
    return from !== undefined && to !== undefined && to < from
      ? problem(`ends (${to}) before it begins (${from})`)
      : undefined;
  },
);

/** The fields of a rule, as policies have them. */
export const ruleFields = {
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  index: whole,
  ports: list(portTest),
  peers: list(peer),
};

const rule = object(ruleFields);

/** One rule. An empty list means "no restriction". */
export interface TableRule extends TypeOf<typeof rule> {
  readonly policy: PolicyRef;
}

/** The rules of one policy. A direction that is absent is not isolated by it. */
export interface PolicyRules {
  readonly policy: PolicyRef;
  readonly ingress?: readonly TableRule[];
  readonly egress?: readonly TableRule[];
}

/** One direction of the table: its NetworkPolicies. Isolated exactly when `isolating` is not empty. */
export interface DirectionTable {
  readonly direction: Direction;
  readonly isolating: readonly PolicyRef[];
  readonly rules: readonly TableRule[];
}

/** A resolved selector, shared between all rules and all tables that use the same one. */
export interface AddressGroup {
  /** The policy's namespace where `namespaceSelector` is absent: only its pods are members. */
  readonly namespace?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly podSelector?: LabelSelector;
  /**
   * Its members are only those that the sidecar has asked about with `meet`: whether another address is a member is not known.
   * Absent: all members are there.
   */
  readonly partial?: true;
  /** By canonical address: the tag of the pod that has it, see `tagOf`. */
  readonly members: PersistentMap<string>;
  /** By address: the named ports of members that declare some. Absent where no rule asks for them. */
  readonly ports?: PersistentMap<readonly ContainerPort[]>;
}

/** Groups by id: a canonical, readable text of the selector. */
export type TableGroups = ReadonlyMap<string, AddressGroup>;

/** One pod's table at one revision. */
export interface Table {
  /** Grows by any amount with each change of this table. */
  readonly revision: number;
  readonly subject: Subject;
  /** Those that select the pod, by `policyKey`, in the order in which they are asked. */
  readonly policies: ReadonlyMap<string, PolicyRules>;
  /** What the policies say, direction by direction. */
  readonly ingress: DirectionTable;
  readonly egress: DirectionTable;
  readonly groups: TableGroups;
  /**
   * The Services of the cluster, by `virtualKey`; empty unless the pod is isolated for egress. Policy sees a backend's
   * address and port, never the virtual one: who enforces egress looks a destination up here first, and asks for
   * verdicts about backends. No verdict is ever asked for about an address and port that stands here.
   */
  readonly services: ServiceMap;
}

/** Who owns an address. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly workload: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Named ports only. */
  readonly ports: readonly ContainerPort[];
}

/** The form of `PeerIdentity`. */
export const peerIdentity = object({
  namespace: anyText,
  name: anyText,
  workload: anyText,
  labels,
  namespaceLabels: labels,
  /** Named ports only. */
  ports: list(containerPort),
});

/** Who a pod is: its name, and what the rules of the table ask of pods. Records name it; no verdict needs it. */
export interface PeerIdentity extends TypeOf<typeof peerIdentity> {}

/** Who has an address. */
export interface IdentifiedPeer {
  readonly pod: PeerIdentity;
  /** Tells the pod from another one that has the address before or after it. */
  readonly tag: string;
}

/** The most policies that a direction names as isolating, since people do not read longer lists. The rules of all are there. */
const MAX_NAMED = 1_000;

/** What policies say of one direction. */
export function directionOf(direction: Direction, policies: Iterable<PolicyRules>): DirectionTable {
  const isolating: PolicyRef[] = [];
  const rules: TableRule[] = [];
  for (const { policy, [direction]: own } of policies) {
    if (own === undefined) continue;
    if (isolating.length < MAX_NAMED) isolating.push(policy);
    for (const one of own) rules.push(one);
  }
  return { direction, isolating, rules };
}

/** The key of a policy in a table. */
export function policyKey({ namespace, name, kind = 'NetworkPolicy' }: PolicyRef): string {
  return kind === 'NetworkPolicy' ? `${namespace}/${name}` : `${kind} ${namespace}/${name}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Names a pod apart from the one that had its address before: the first 16 digits of its UID, with 60 random bits where an API server
 * has made it. A UID that is no UUID stands whole.
 */
export function tagOf(uid: string): string {
  return UUID.test(uid) ? `${uid.slice(0, 8)}${uid.slice(9, 13)}${uid.slice(14, 18)}` : uid;
}

/** Named ports of the pod that has an address, as far as a rule asks for such. */
export function portsOf({ groups }: Pick<Table, 'groups'>, address: string): readonly ContainerPort[] {
  for (const { ports } of groups.values()) {
    const found = ports?.get(address);
    if (found !== undefined) return found;
  }
  return [];
}
