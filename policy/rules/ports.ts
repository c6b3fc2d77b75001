/** Port tests of a rule: resolving named ports, and matching. Source: `NetworkPolicyPort`. */

import type { ContainerPort, Direction, NetworkPolicyPort, Protocol } from '../model.ts';

/**
 * A port test, in one of four forms: `protocol` alone is every port of it; `from` and `to` are a range; with `name`
 * as well, the range is what the name stands for on the subject (ingress); `name` without a range resolves on
 * the peer (egress), and admits nothing at ingress, where it means that the subject has no such port.
 */
export interface TablePort {
  readonly protocol: Protocol;
  /** First port, inclusive. */
  readonly from?: number;
  /** Last port, inclusive. Present exactly when `from` is. */
  readonly to?: number;
  /** The named port this came from; kept for explanations, and for resolving on the peer (egress). */
  readonly name?: string;
}

/** The numbers a name stands for on a pod, with the protocol asked for. Several containers may use one name. */
export function resolveNamedPort(
  name: string,
  protocol: Protocol,
  declared: readonly ContainerPort[],
): number[] {
  return declared.filter((port) => port.name === name && port.protocol === protocol).map((port) => port.port);
}

/** Turns one `ports` item of the API into port tests. `subjectPorts` are the ports of the policy's subject. */
export function resolvePort(
  item: NetworkPolicyPort,
  direction: Direction,
  subjectPorts: readonly ContainerPort[],
): TablePort[] {
  const { protocol, port } = item;
  // port absent: the item matches every port number of its protocol.
  if (port === undefined) return [{ protocol }];
  // endPort: the range port..endPort, both inclusive; without it the one port.
  if (typeof port === 'number') return [{ protocol, from: port, to: item.endPort ?? port }];
  // port as a name: a container port of the destination pod. For ingress that is the subject, known here; for
  // egress it is the peer, so the name stays. A name that nothing has opens nothing, and still isolates.
  const numbers = direction === 'ingress' ? resolveNamedPort(port, protocol, subjectPorts) : [];
  if (numbers.length === 0) return [{ protocol, name: port }];
  return numbers.map((number) => ({ protocol, from: number, to: number, name: port }));
}

/** Whether a port test admits a destination port. `peerPorts` are the ports of the peer, empty where it is no pod. */
export function portMatches(
  test: TablePort,
  direction: Direction,
  protocol: Protocol,
  port: number,
  peerPorts: readonly ContainerPort[],
): boolean {
  if (test.protocol !== protocol) return false;
  if (test.from !== undefined) return port >= test.from && port <= (test.to ?? test.from);
  if (test.name === undefined) return true;
  return direction === 'egress' && resolveNamedPort(test.name, protocol, peerPorts).includes(port);
}
