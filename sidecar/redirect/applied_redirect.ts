/** A redirect that is in force, and what does not hold where the kernel lacks something. */
import { unreachable } from '../../common/errors.ts';
import type { Family } from '../../native/index.ts';
import type { GuardProblems, InstalledGuard, NodeAddress } from '../guard/index.ts';
import { APP_LEG_PORTS } from '../kernel/index.ts';
import type { Paths } from './paths.ts';
import type { RedirectScope } from './rules.ts';
import type { Backend } from './tools.ts';

/** A redirect that is in force. */
export interface Redirect {
  readonly backend: Backend;
  readonly because: string;
  readonly families: readonly Family[];
  /** The pod's own node, default gateways included. */
  readonly nodeIPs: readonly string[];
  readonly paths: Paths;
  /** Why a direct path that was asked for is not in use; absent where it is, or nobody asked for it. */
  readonly notDirect?: string;
  /** `closed` until the sidecar opens it; `kept` where one was there already; else why there is none. */
  readonly gate: string;
  /** How each address of the node is known, and what of the guard is missing. */
  readonly guard?: { readonly nodes: readonly NodeAddress[]; readonly problems: GuardProblems };
  /** What this kernel cannot do, and what follows from it; empty where it can do all. */
  readonly limits: readonly string[];
  /** `on`, or why TCP does not find out by itself about paths that drop large packets; absent where nothing was applied. */
  readonly mtuProbing?: string;
}

/** A redirect that this process has put in force, with all that a sidecar goes on from. */
export interface AppliedRedirect {
  readonly redirect: Redirect;
  readonly guard: InstalledGuard;
}

/** What does not hold where the kernel cannot do all, for people. */
export function limitsOf(family: Family, scope: RedirectScope): readonly string[] {
  const ports = `IPv${family}: clients that use source ports from ${APP_LEG_PORTS.first} to ${APP_LEG_PORTS.last} can lose connections: the kernel needs xt_CT with NF_CONNTRACK_ZONES, xt_REDIRECT and nat`;
  const open = `IPv${family}: a port on which nobody listens accepts connections and resets them: the kernel needs xt_socket`;
  switch (scope) {
    case 'all':
      return [];
    case 'listeners':
      return [ports];
    case 'plain':
      return [ports, open];
    default:
      return unreachable(scope);
  }
}
