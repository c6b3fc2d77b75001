/**
 * What the gate has to let through, worked out from the pod's table: for each address one access, found by one look-up
 * in the kernel however many rules and peers there are. Pure. It says the same as the judge that the proxy asks.
 */
import type { AddressPort } from '../../../common/net.ts';
import { PersistentMap } from '../../../common/persistent_map.ts';
import { type Access, accessId, accessOf } from './access.ts';
import type { Family } from './address_ranges.ts';
import { NO_SERVICES, type ServicePlan } from './service_plan.ts';

/** Ids of accesses by address, or by range of addresses. */
export type AccessIds = PersistentMap<string>;

/** One direction: who may reach the pod (ingress), or whom the pod may reach (egress). */
export interface DirectionPlan {
  /** A pod that no policy isolates is open: every packet passes. */
  readonly isolated: boolean;
  /** Accesses by id, a short hash of their text. */
  readonly accesses: PersistentMap<Access>;
  /** Access of each pod that some rule names by a selector, blocks included. By address. */
  readonly pods: Readonly<Record<Family, AccessIds>>;
  /** Access of all other addresses that some block has. By range, `from-to` or one address. */
  readonly blocks: Readonly<Record<Family, AccessIds>>;
  /** Access of everybody else. */
  readonly rest: string;
  /** Egress only: where connections to Services go. */
  readonly services: ServicePlan;
  /** Rules ask for groups that have only the members that were asked about: who is denied may be a member. */
  readonly hasPartial: boolean;
  /** Rules and blocks are more than the bounds allow: some addresses may reach less than policy says, or nothing. */
  readonly isOverBounds: boolean;
}

/** Both directions of one table. */
export interface GatePlan {
  readonly revision: number;
  readonly ingress: DirectionPlan;
  readonly egress: DirectionPlan;
  /** The pod's own node: always allowed, both ways. */
  readonly nodeIPs: readonly string[];
  /**
   * Where the injector can be reached, as `address . port`: its Service, and the pods behind it. Only the sidecar may open
   * connections there.
   */
  readonly injectors: readonly string[];
  /** The pod's own addresses: what it sends to them through a Service is not on `lo` yet when it is judged. */
  readonly ownIPs: readonly string[];
}

/** The revision of the closed plan; tables have greater ones. */
export const CLOSED_REVISION = 0;

/** Before the first table: nothing passes but what always does. */
export function closedPlan(nodeIPs: readonly string[], injectors: readonly string[] = []): GatePlan {
  const nothing = accessOf([]);
  const rest = accessId(nothing);
  const none: AccessIds = PersistentMap.from<string>([]);
  const closed: DirectionPlan = {
    isolated: true,
    rest,
    pods: { 4: none, 6: none },
    blocks: { 4: none, 6: none },
    services: NO_SERVICES,
    accesses: PersistentMap.from([[rest, nothing]]),
    hasPartial: false,
    isOverBounds: false,
  };
  return { revision: CLOSED_REVISION, ingress: closed, egress: closed, nodeIPs, injectors, ownIPs: [] };
}

/** An address and port as an element of the gate's sets. */
export function socketElement({ address, port }: AddressPort): string {
  return `${address} . ${port}`;
}
