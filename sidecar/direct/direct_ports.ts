/** Which connections are direct: those of the pod's ports that bypass the proxy. */
import type { WantedPorts } from '../kernel/index.ts';

/** The ports, and whom policy is not asked about there. */
export interface DirectPorts {
  /** Whether connections to a port go straight to the app. Not so for ports of the sidecar's own. */
  isDirect(port: number): boolean;
  /** The same for the kernel, which reports no others. */
  readonly wanted: WantedPorts;
  /** Whether a port is the sidecar's own: what a rule of the pod's leads there is the proxy's. */
  isOwn(port: number): boolean;
  /** Whether the redirect lets an address in to a port without asking policy: the pod's own node. */
  isExempt(address: string, port: number): boolean;
}
