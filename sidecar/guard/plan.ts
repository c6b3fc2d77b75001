/** What the guard holds: which interfaces lead out of the pod, and how packets of its own node come in. */
import { unreachable } from '../../common/errors.ts';

/** A next hop: the neighbour through which an address is reached. */
export interface Hop {
  readonly address: string;
  readonly device: string;
}

/** How packets from an own-node address are known. */
export type Binding =
  /** By the link-layer address of the hop as well; such as `02:42:0a:00:00:01`. */
  | { readonly kind: 'link'; readonly link: string }
  /** By the address alone: the network offers nothing more. `why` is for people. */
  | { readonly kind: 'address-alone'; readonly why: string }
  /** Not known yet: until the hop answers, nothing with this address comes in. */
  | { readonly kind: 'unresolved' };

/** How an address of the node is known, for people. */
export function bindingText(binding: Binding): string {
  switch (binding.kind) {
    case 'link':
      return binding.link;
    case 'address-alone':
      return `its address alone: ${binding.why}`;
    case 'unresolved':
      return 'nothing yet: what has it does not come in until its next hop answers';
    default:
      return unreachable(binding);
  }
}

/** An address of the pod's own node. */
export interface NodeAddress {
  readonly address: string;
  /** `settings`: from SLUICE_NODE_IPS or the table. `gateway`: a default gateway that the redirect step found. */
  readonly from: 'settings' | 'gateway';
  /** Absent where no route leads there. */
  readonly hop: Hop | undefined;
  readonly binding: Binding;
}

/** All of it. */
export interface GuardPlan {
  /** Interfaces that lead out of the pod, as the redirect step found them. */
  readonly uplinks: readonly string[];
  /** Those of `uplinks` that have link-layer addresses. */
  readonly links: readonly string[];
  readonly nodes: readonly NodeAddress[];
  /** IPv6 routers whose advertisements are taken: the default gateways that the redirect step found. */
  readonly routers: readonly string[];
}

/** The guard has two tables: one for packets, and one for the frames of `links`. */
export const GUARD_PARTS = ['packets', 'frames'] as const;
export type GuardPart = (typeof GUARD_PARTS)[number];

/** What frames that leave may carry as source. */
export interface OwnAddresses {
  readonly addresses: readonly string[];
  /** Link-layer addresses. */
  readonly links: readonly string[];
}
