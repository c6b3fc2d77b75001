/** What is served to whom, as the status port shows it. */
import type { PathUse } from '../../common/path.ts';
import type { ManifestProblem } from '../../sources/index.ts';

/** One pod's sidecar, as `/status` shows it. */
export interface SidecarStatus {
  readonly namespace: string;
  readonly pod: string;
  readonly connected: boolean;
  /** Of its current table, on the way or still to be sent; 0 while there is none (tables are made for connected sidecars). */
  readonly revision: number;
  /** Last revision the connected sidecar enforces. The policy is in force when it equals `revision`. */
  readonly enforced: number | null;
  readonly error?: string;
  /** Which way inbound TCP takes to the pod's app, as the connected sidecar said when it connected. */
  readonly path?: PathUse;
  /** What its policies seem to forget: egress that is isolated without DNS. */
  readonly warnings: readonly string[];
}

/** The server's state. */
export interface ServerStatus {
  /** Grows with each change of the cluster. */
  readonly revision: number;
  readonly problems: readonly ManifestProblem[];
  /** Every pod that policy can select, by key. */
  readonly sidecars: readonly SidecarStatus[];
  /** Connected sidecars whose pod is unknown or cannot have a table. */
  readonly waiting: readonly { readonly pod: string; readonly message: string }[];
}
