/**
 * One pod's table: all that is needed to judge and explain this pod's flows, and nothing about others' rules.
 * It is plain data: what `JSON.stringify` makes of it is the snapshot on the wire; `text.ts` makes the same text for the copy
 * on disk. Each form is declared once, as a shape: its type and the check of what comes from outside are both made of it. What
 * no single field shows is checked in `form.ts`.
 */

import {
  integer,
  list,
  nullable,
  object,
  objectFor,
  oneOf,
  problem,
  record,
  refined,
  type TypeOf,
  tagged,
} from '../../common/shape.ts';
import type { Direction } from '../model.ts';
import type { TablePort } from '../rules/index.ts';
import {
  address,
  addressProblem,
  anyText,
  cidr,
  containerPort,
  labels,
  policyRef,
  port,
  protocol,
  selector,
  whole,
} from './parts.ts';
import { virtualKeyProblem } from './virtual_key.ts';

/** Version of the table's form. A reader refuses a form it does not know. */
export const TABLE_SCHEMA = 1;

/** The version of a table or delta. */
export const schema = oneOf(TABLE_SCHEMA);

const backend = object({ address, port });

/** Where connections to a virtual port end up. The address is canonical. */
export interface Backend extends TypeOf<typeof backend> {}

const subject = object(
  {
    namespace: anyText,
    name: anyText,
    uid: anyText,
    /** Canonical addresses of the pod. */
    ips: list(address),
    /** Canonical addresses of its own node: traffic from and to them is always allowed. */
    nodeIPs: list(address),
    ports: list(containerPort),
  },
  {
    /** Where the injector takes connections, its Service's address among them: none of them is for apps. Absent: not known. */
    injectors: list(backend),
  },
);

/** The pod whose table this is. */
export interface Subject extends TypeOf<typeof subject> {}

const peer = tagged('kind', {
  group: object({ group: anyText }),
  ipBlock: object({ cidr, except: list(cidr) }),
});

/** A peer test: members of an address group, or an address block. */
export type TablePeer = TypeOf<typeof peer>;

/** A range with one end only would be read as every port. */
const portTest = refined(
  objectFor<TablePort>({ protocol }, { from: port, to: port, name: anyText }),
  ({ from, to }) => {
    if ((from === undefined) !== (to === undefined)) return problem('must have both from and to, or neither');
    return from !== undefined && to !== undefined && to < from
      ? problem(`ends (${to}) before it begins (${from})`)
      : undefined;
  },
);

const rule = object({
  policy: policyRef,
  /** Index in the policy's `spec.ingress` or `spec.egress`. */
  index: whole,
  ports: list(portTest),
  peers: list(peer),
});

/** One rule. An empty list means "no restriction". */
export interface TableRule extends TypeOf<typeof rule> {}

function directionShape(direction: Direction) {
  return object({ direction: oneOf(direction), isolating: list(policyRef), rules: list(rule) });
}

/** One direction of the table: its NetworkPolicies. Isolated exactly when `isolating` is not empty. */
export interface DirectionTable extends TypeOf<ReturnType<typeof directionShape>> {}

/** Members are looked up by halving the list: out of order, some would be missed. */
const sortedAddresses = refined(list(address), (members) => {
  const wrong = members.findIndex((member, i) => i > 0 && member <= (members[i - 1] ?? ''));
  return wrong < 0 ? undefined : problem('is out of order or there twice', `[${wrong}]`);
});

const group = object(
  {
    /** Canonical addresses, sorted. One that the directory does not know counts for nothing: rights end with the pod. */
    members: sortedAddresses,
  },
  {
    /** The policy's namespace where `namespaceSelector` is absent: only its pods can be members. */
    namespace: anyText,
    namespaceSelector: selector,
    podSelector: selector,
  },
);

/** A resolved selector, shared between all rules and all tables that use the same one. */
export interface AddressGroup extends TypeOf<typeof group> {}

const podIdentity = object({
  namespace: anyText,
  name: anyText,
  uid: anyText,
  workload: anyText,
  labels,
  /** Named ports only. */
  ports: list(containerPort),
});

/** Who owns an address. */
export interface PodIdentity extends TypeOf<typeof podIdentity> {}

/** The form of `PeerIdentity`. */
export const peerIdentity = object({
  namespace: anyText,
  name: anyText,
  workload: anyText,
  labels,
  namespaceLabels: labels,
  /** Named ports only. */
  ports: list(containerPort),
});

/** What a sidecar may learn of a pod that its table does not name: its name, and what the rules of the table ask of pods. */
export interface PeerIdentity extends TypeOf<typeof peerIdentity> {}

const virtualPort = object(
  {
    /** The Service's namespace and name. */
    namespace: anyText,
    name: anyText,
    /** Ready ones, in order of address and port, each once. None: the port is served by nobody at present. */
    backends: list(backend),
  },
  {
    /** The Service's name for the port, where it has one. */
    port: anyText,
    /** With session affinity: how long a client keeps its backend, in seconds. */
    affinitySeconds: integer(1, Number.MAX_SAFE_INTEGER),
  },
);

/** What one address, protocol and port of a Service stands for. */
export interface VirtualPort extends TypeOf<typeof virtualPort> {}

/** The fields of a table. `tableForm` checks the rest. */
export const tableFields = object({
  schema,
  /** Grows by any amount with each change of this table. */
  revision: whole,
  subject,
  ingress: directionShape('ingress'),
  egress: directionShape('egress'),
  /** By group id: a canonical, readable text of the selector. */
  groups: record(group),
  /**
   * The pod directory: who owns the addresses that the groups hold, and the pod's own. Who others are is asked from the
   * injector when a record needs it.
   */
  pods: record(podIdentity, addressProblem),
  /** Labels of the namespaces that the directory mentions, and of the pod's own. */
  namespaces: record(labels),
  /**
   * The Services of the cluster, by `virtualKey`; empty unless the pod is isolated for egress. Policy sees a backend's
   * address and port, never the virtual one: who enforces egress looks a destination up here first, and asks for
   * verdicts about backends. No verdict is ever asked for about an address and port that stands here.
   */
  services: record(virtualPort, virtualKeyProblem),
});

/** One pod's table at one revision. */
export interface Table extends TypeOf<typeof tableFields> {}

const groupDelta = tagged('kind', {
  set: object({ group }),
  members: object({ added: list(address), removed: list(address) }),
  removed: object({}),
});

/** A change to a group: a new or replaced one whole, or members by difference. */
export type GroupDelta = TypeOf<typeof groupDelta>;

/** The fields of a delta. `deltaForm` checks the rest. */
export const deltaFields = object(
  {
    schema,
    /** The revision this applies to; any other is a gap. */
    from: whole,
    revision: whole,
  },
  {
    subject,
    ingress: directionShape('ingress'),
    egress: directionShape('egress'),
    groups: record(groupDelta),
    pods: record(nullable(podIdentity), addressProblem),
    namespaces: record(nullable(labels)),
    services: record(nullable(virtualPort), virtualKeyProblem),
  },
);

/** What changes between two revisions of one table. Absent fields are unchanged; `null` removes an entry. */
export interface TableDelta extends TypeOf<typeof deltaFields> {}
