/** What `sluice describe` says, as the JSON has it. docs/schema/describe.v1.json describes each field. */
import type { Direction, Protocol } from '../../policy/index.ts';
import type { InForceData, PolicyStatusData } from '../in_force/index.ts';
import type { Listed } from '../listed.ts';

/** Names the form. */
export const DESCRIBE_SCHEMA = 'sluice.dev/describe/v1';

/** Whom a peer means now. */
export interface WhoNow {
  /** Whether all that it could mean was read; else there may be more. */
  readonly known: boolean;
  readonly pods: number;
  /** `deploy/web`, of other namespaces than the policy's `monitoring/deploy/prometheus`. */
  readonly workloads: Listed<string>;
}

/** Whom a rule admits. Selectors are written as kubectl takes them, `app=web,tier in (a,b)`. */
export type PeerData =
  | { readonly kind: 'anybody' }
  | { readonly kind: 'block'; readonly cidr: string; readonly except: Listed<string> }
  | {
      readonly kind: 'pods';
      /** The policy's own; absent where `namespace_selector` chooses. */
      readonly namespace?: string;
      readonly namespace_selector?: string;
      /** Absent: all pods of the namespaces. */
      readonly pod_selector?: string;
      readonly now: WhoNow;
    };

/** Ports of a rule. Without numbers and name: every port of the protocol. */
export interface PortData {
  readonly protocol: Protocol;
  readonly name?: string;
  /** Both inclusive. Absent with a name: at egress it is the port of each peer. */
  readonly first?: number;
  readonly last?: number;
  /** The pods have no port of the name: it admits nothing. */
  readonly missing?: true;
}

/** A rule. */
export interface RuleData {
  /** `namespace/name`. */
  readonly policy: string;
  readonly direction: Direction;
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  readonly rule: number;
  /** Where it stands; absent for what comes from no file. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly peers: Listed<PeerData>;
  /** None: every port of every protocol. */
  readonly ports: Listed<PortData>;
}

/** What is admitted in a direction. */
export interface DirectionData {
  readonly isolated: boolean;
  /** The policies that isolate, `namespace/name`. */
  readonly by: Listed<string>;
  readonly rules: Listed<RuleData>;
}

/** Whether names can be asked for. */
export interface DnsData {
  readonly admitted: boolean;
  /** `kube-system/kube-dns UDP/53`. */
  readonly server: string;
  /** The server was read; else the usual one is assumed. */
  readonly known: boolean;
}

/** Pods that policies treat alike. */
export interface GroupData {
  readonly pods: Listed<string>;
  /** Of the first of them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  readonly ingress: DirectionData;
  readonly egress: DirectionData;
  /** Absent where egress is not isolated. */
  readonly dns?: DnsData;
}

/** What lint finds, as `sluice lint -o json` writes it. */
export interface FindingData {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'info';
  readonly object: string;
  readonly field?: string;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly fix?: { readonly text: string; readonly automatic: boolean };
}

/** A pod or a workload. */
export interface PodsData {
  readonly kind: 'pod' | 'workload';
  /** `shop/deploy/web`, `shop/web-1`. */
  readonly name: string;
  readonly pods: number;
  /** It has no pods: a pod made from its template stands for them. */
  readonly from_template?: true;
  /** Why no policy counts, such as a pod of the host network. */
  readonly exempt?: string;
  readonly in_force: InForceData;
  readonly groups: Listed<GroupData>;
  readonly findings: Listed<FindingData>;
}

/** A workload of a namespace. */
export interface WorkloadData {
  readonly name: string;
  readonly pods: number;
  /** Policies that isolate it; of pods that differ all that isolate some. */
  readonly ingress: Listed<string>;
  readonly egress: Listed<string>;
  /** Absent where egress is not isolated. */
  readonly dns?: boolean;
}

/** A policy in a list. */
export interface PolicyLineData {
  readonly name: string;
  readonly directions: readonly Direction[];
  readonly pod_selector: string;
  readonly pods: number;
  readonly workloads: number;
  readonly rules: number;
}

/** A namespace. */
export interface NamespaceData {
  readonly kind: 'namespace';
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly pods: number;
  readonly workloads: Listed<WorkloadData>;
  /** How many workloads some policy isolates. */
  readonly isolated: { readonly ingress: number; readonly egress: number };
  readonly dns?: Omit<DnsData, 'admitted'> & { readonly without: Listed<string> };
  readonly policies: Listed<PolicyLineData>;
  readonly in_force: InForceData;
  readonly findings: Listed<FindingData>;
}

/** A policy. */
export interface PolicyData {
  readonly kind: 'netpol';
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** `*` for all pods of its namespace. */
  readonly pod_selector: string;
  readonly selects: {
    /** The workloads of its namespace were read; else it may select more. */
    readonly known: boolean;
    readonly pods: Listed<string>;
    readonly workloads: Listed<{ readonly name: string; readonly pods: number }>;
    /** Workloads of the host network, which it selects without effect; absent where there is none. */
    readonly host_network?: Listed<string>;
  };
  /** Absent: it does not isolate this direction. */
  readonly ingress?: { readonly rules: Listed<RuleData> };
  readonly egress?: { readonly rules: Listed<RuleData> };
  readonly in_force: InForceData;
  /** Of a cluster: what the injector says of it. */
  readonly status?: PolicyStatusData;
  readonly findings: Listed<FindingData>;
}

/** One of them. */
export type Description = PodsData | NamespaceData | PolicyData;
