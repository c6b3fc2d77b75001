/** What the server tells the page, besides observed flows. Both are of one program, so that the page takes it as it comes. */

/** Where it all comes from. */
export interface SourceFacts {
  /** For people: `lab shop`, `flows.ndjson`. */
  readonly name: string;
  /** Whether more flows may come. */
  readonly live: boolean;
  /** What a command is given to look at the same, such as `-f`, `manifests/`. */
  readonly flags: readonly string[];
}

/** A workload, as manifests or the cluster have it. */
export interface WorkloadFacts {
  readonly namespace: string;
  /** `deploy/web`. */
  readonly workload: string;
  readonly pods: number;
}

/** A rule as it is written. */
export interface RuleFacts {
  readonly direction: 'ingress' | 'egress';
  readonly index: number;
  /** Cut at a bound. */
  readonly yaml: string;
}

/** A policy. */
export interface PolicyFacts {
  /** `namespace/name`. */
  readonly name: string;
  readonly selector: string;
  /** Directions in which it isolates. */
  readonly isolates: readonly ('ingress' | 'egress')[];
  /** Workloads that it selects, and their pods. */
  readonly workloads: number;
  readonly pods: number;
  readonly rules: readonly RuleFacts[];
  /** Rules that are not in `rules`. */
  readonly moreRules: number;
  /** Pods that enforce it; absent where that is not known. */
  readonly enforcing?: number;
}

/** Workloads of which policies let one connect to the other. */
export interface AllowedPair {
  readonly src: { readonly namespace: string; readonly workload: string };
  readonly dst: { readonly namespace: string; readonly workload: string };
  /** `TCP/8080, UDP/53`. */
  readonly ports: string;
  readonly rules: readonly {
    readonly policy: string;
    readonly direction: 'ingress' | 'egress';
    readonly index: number;
  }[];
}

/** Whether a pod has its policies in force. */
export interface PodFacts {
  /** `namespace/name`. */
  readonly name: string;
  readonly workload: string;
  /** Policies that isolate it. */
  readonly policies: readonly string[];
  /** `free`: none isolates it. */
  readonly state: 'in-force' | 'not-in-force' | 'not-known' | 'free';
  readonly why?: string;
}

/** All of it. */
export interface DashboardFacts {
  readonly source: SourceFacts;
  readonly workloads: readonly WorkloadFacts[];
  readonly policies: readonly PolicyFacts[];
  readonly pods: readonly PodFacts[];
  readonly allowed: readonly AllowedPair[];
  /** What is not known, was not read or is left out, a sentence each. */
  readonly notes: readonly string[];
}
