/**
 * One pod's table: all that is needed to judge and explain this pod's flows, and nothing about others' rules.
 * It is plain data: what `JSON.stringify` makes of it is the snapshot on the wire and the copy on disk.
 */

import type { ContainerPort, Direction, LabelSelector, Labels } from '../model.ts';
import type { TablePort } from '../rules/index.ts';
import type { PolicyRef } from '../verdict.ts';

/** Version of the table's form. A reader refuses a form it does not know. */
export const TABLE_SCHEMA = 1;

/** The pod whose table this is. */
export interface Subject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Canonical addresses of the pod. */
  readonly ips: readonly string[];
  /** Canonical addresses of its own node: traffic from and to them is always allowed. */
  readonly nodeIPs: readonly string[];
  readonly ports: readonly ContainerPort[];
  /** Where the injector takes connections, its Service's address among them: none of them is for apps. Absent: not known. */
  readonly injectors?: readonly Backend[];
}

/** A peer test: members of an address group, or an address block. */
export type TablePeer =
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'ipBlock'; readonly cidr: string; readonly except: readonly string[] };

/** One rule. An empty list means "no restriction". */
export interface TableRule {
  readonly policy: PolicyRef;
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  readonly index: number;
  readonly ports: readonly TablePort[];
  readonly peers: readonly TablePeer[];
}

/** One direction of the table. Isolated exactly when `isolating` is not empty. */
export interface DirectionTable {
  readonly direction: Direction;
  readonly isolating: readonly PolicyRef[];
  readonly rules: readonly TableRule[];
}

/** A resolved selector, shared between all rules and all tables that use the same one. */
export interface AddressGroup {
  /** The policy's namespace where `namespaceSelector` is absent: only its pods can be members. */
  readonly namespace?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly podSelector?: LabelSelector;
  /** Canonical addresses, sorted. One that the directory does not know counts for nothing: rights end with the pod. */
  readonly members: readonly string[];
}

/** Who owns an address. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly workload: string;
  readonly labels: Labels;
  /** Named ports only. */
  readonly ports: readonly ContainerPort[];
}

/** What a sidecar may learn of a pod that its table does not name: its name, and what the rules of the table ask of pods. */
export interface PeerIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly workload: string;
  readonly labels: Labels;
  readonly namespaceLabels: Labels;
  /** Named ports only. */
  readonly ports: readonly ContainerPort[];
}

/** Where connections to a virtual port end up. The address is canonical. */
export interface Backend {
  readonly address: string;
  readonly port: number;
}

/** What one address, protocol and port of a Service stands for. */
export interface VirtualPort {
  /** The Service's namespace and name. */
  readonly namespace: string;
  readonly name: string;
  /** The Service's name for the port, where it has one. */
  readonly port?: string;
  /** Ready ones, in order of address and port, each once. None: the port is served by nobody at present. */
  readonly backends: readonly Backend[];
  /** With session affinity: how long a client keeps its backend, in seconds. */
  readonly affinitySeconds?: number;
}

/** One pod's table at one revision. */
export interface Table {
  readonly schema: typeof TABLE_SCHEMA;
  /** Grows by any amount with each change of this table. */
  readonly revision: number;
  readonly subject: Subject;
  readonly ingress: DirectionTable;
  readonly egress: DirectionTable;
  /** By group id: a canonical, readable text of the selector. */
  readonly groups: Readonly<Record<string, AddressGroup>>;
  /**
   * The pod directory: who owns the addresses that the groups hold, and the pod's own. Who others are is asked from the
   * injector when a record needs it.
   */
  readonly pods: Readonly<Record<string, PodIdentity>>;
  /** Labels of the namespaces that the directory mentions, and of the pod's own. */
  readonly namespaces: Readonly<Record<string, Labels>>;
  /**
   * The Services of the cluster, by `virtualKey`; empty unless the pod is isolated for egress. Policy sees a backend's
   * address and port, never the virtual one: who enforces egress looks a destination up here first, and asks for
   * verdicts about backends. No verdict is ever asked for about an address and port that stands here.
   */
  readonly services: Readonly<Record<string, VirtualPort>>;
}

/** A change to a group: a new or replaced one whole, or members by difference. */
export type GroupDelta =
  | { readonly kind: 'set'; readonly group: AddressGroup }
  | { readonly kind: 'members'; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly kind: 'removed' };

/** What changes between two revisions of one table. Absent fields are unchanged; `null` removes an entry. */
export interface TableDelta {
  readonly schema: typeof TABLE_SCHEMA;
  /** The revision this applies to; any other is a gap. */
  readonly from: number;
  readonly revision: number;
  readonly subject?: Subject;
  readonly ingress?: DirectionTable;
  readonly egress?: DirectionTable;
  readonly groups?: Readonly<Record<string, GroupDelta>>;
  readonly pods?: Readonly<Record<string, PodIdentity | null>>;
  readonly namespaces?: Readonly<Record<string, Labels | null>>;
  readonly services?: Readonly<Record<string, VirtualPort | null>>;
}
