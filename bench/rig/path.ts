/** A way from the client to the app. Each has a pod of its own, with the same app in it. */
import type { Lab, ProcessId } from '../../lab/index.ts';

/** What a path may use of the rig. */
export interface PathRig {
  readonly lab: Lab;
  /** For files; gone with the lab. */
  readonly folder: string;
  /** How many flows a proxy must be able to hold. */
  readonly proxyFlows: number;
  /** The bundled sidecar; undefined: its sources. */
  readonly sidecarMain: string | undefined;
}

/** One way. */
export interface Path {
  /** As `--paths` takes it; also the name of its pod. */
  readonly name: string;
  /** For people. */
  readonly label: string;
  /** NetworkPolicies that select its pod. Only Sluice looks at them. */
  readonly policies: number;
  /** Addresses beside the client's that further policies of its pod admit; absent: none. */
  readonly peers?: number;
  /** Of its pod. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** System tools that it needs. */
  readonly tools?: readonly string[];
  /** A variant, with fewer runs than others, and left out of a quick run unless it is asked for by name. */
  readonly variant?: boolean;
  /** Connections do not pass its process, which only records and ends them: they come and go also while it is not there. */
  readonly isDirect?: boolean;
  /** Puts rules into its pod, once. */
  prepare(rig: PathRig): Promise<void>;
  /** Absent: no process is in the way. It may not answer yet when this returns. */
  readonly start?: (rig: PathRig) => Promise<ProcessId>;
}

/** The key of a path's pod. */
export function podOf(path: Pick<Path, 'name'>): string {
  return `bench/${path.name}`;
}
