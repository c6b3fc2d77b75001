/**
 * One pod's table in schema 1, which sidecars and injectors spoke before schema 2: groups are lists of addresses, and the
 * table holds the name and labels of every member. docs/adr/0039-tables-that-share-their-parts.md says how long it is kept.
 */

import {
  list,
  nullable,
  object,
  oneOf,
  problem,
  record,
  refined,
  type TypeOf,
  tagged,
} from '../../common/shape.ts';
import type { Direction } from '../model.ts';
import {
  address,
  addressProblem,
  anyText,
  containerPort,
  labels,
  policyRef,
  ruleFields,
  selector,
  subjectFields,
  subjectOptions,
  virtualKeyProblem,
  virtualPort,
  whole,
} from '../table/index.ts';

/** Version of this form. */
export const SCHEMA_1 = 1;

/** The version of a table or delta. */
export const schema = oneOf(SCHEMA_1);

const subject = object(subjectFields, subjectOptions);

const rule = object({ policy: policyRef, ...ruleFields });

function directionShape(direction: Direction) {
  return object({ direction: oneOf(direction), isolating: list(policyRef), rules: list(rule) });
}

/** One direction of the table. Isolated exactly when `isolating` is not empty. */
export interface DirectionTableV1 extends TypeOf<ReturnType<typeof directionShape>> {}

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

/** A resolved selector. */
export interface AddressGroupV1 extends TypeOf<typeof group> {}

const podIdentity = object({
  namespace: anyText,
  name: anyText,
  uid: anyText,
  workload: anyText,
  labels,
  /** Named ports only. */
  ports: list(containerPort),
});

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
export interface TableV1 extends TypeOf<typeof tableFields> {}

const groupDelta = tagged('kind', {
  set: object({ group }),
  members: object({ added: list(address), removed: list(address) }),
  removed: object({}),
});

/** A change to a group: a new or replaced one whole, or members by difference. */
export type GroupDeltaV1 = TypeOf<typeof groupDelta>;

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
export interface TableDeltaV1 extends TypeOf<typeof deltaFields> {}
