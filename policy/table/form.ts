/** The form of tables and deltas: what `table.ts` says as types, checked on data that comes from outside. */

import { formatAddress, formatCidr, parseAddress, parseCidr } from '../addresses/index.ts';
import {
  all,
  type Check,
  integer,
  list,
  nullable,
  oneOf,
  type Problem,
  problem,
  record,
  requireForm,
  shape,
  tagged,
  text,
} from './check.ts';
import { strayMember } from './membership.ts';
import { TABLE_SCHEMA, type Table, type TableDelta } from './table.ts';
import { virtualKey } from './virtual_key.ts';

/** The highest port number. */
const MAX_PORT = 65_535;

const VIRTUAL_KEY_EXAMPLE = virtualKey('10.96.0.10', 'TCP', 80);

function addressProblem(value: string): string | undefined {
  const words = parseAddress(value);
  return words !== undefined && formatAddress(words) === value
    ? undefined
    : `is not a canonical address: "${value}"`;
}

function cidrProblem(value: string): string | undefined {
  const written = parseCidr(value);
  return written !== undefined && formatCidr(written.cidr) === value
    ? undefined
    : `is not a canonical CIDR: "${value}"`;
}

/** A revision: a whole number that JSON carries exactly. */
export const revision: Check = integer(0, Number.MAX_SAFE_INTEGER);

const anyText = text();
/** A canonical address. */
export const address: Check = text(addressProblem);
const cidr = text(cidrProblem);
const port = integer(0, MAX_PORT);
const protocol = oneOf('TCP', 'UDP', 'SCTP');
const labels = record(anyText);
const schema = oneOf(TABLE_SCHEMA);
const policyRef = shape({ namespace: anyText, name: anyText });
const containerPort = shape({ port, protocol }, { name: anyText });

const subject = shape(
  {
    namespace: anyText,
    name: anyText,
    uid: anyText,
    ips: list(address),
    nodeIPs: list(address),
    ports: list(containerPort),
  },
  { injectors: list(shape({ address, port })) },
);

/** A range with one end only would be read as every port. */
const tablePort = all(shape({ protocol }, { from: port, to: port, name: anyText }), (value) => {
  const { from, to } = value as { from?: number; to?: number };
  if ((from === undefined) !== (to === undefined)) return problem('must have both from and to, or neither');
  return from !== undefined && to !== undefined && to < from
    ? problem(`ends (${to}) before it begins (${from})`)
    : undefined;
});

const tablePeer = tagged('kind', {
  group: shape({ kind: anyText, group: anyText }),
  ipBlock: shape({ kind: anyText, cidr, except: list(cidr) }),
});

const rule = shape({ policy: policyRef, index: revision, ports: list(tablePort), peers: list(tablePeer) });

function directionTable(direction: string): Check {
  return shape({ direction: oneOf(direction), isolating: list(policyRef), rules: list(rule) });
}

const directions = { ingress: directionTable('ingress'), egress: directionTable('egress') };

const selector = shape({
  matchLabels: labels,
  matchExpressions: list(
    shape({ key: anyText, operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist'), values: list(anyText) }),
  ),
});

/** Members are looked up by halving the list: out of order, some would be missed. */
const sortedAddresses = all(list(address), (value) => {
  const members = value as string[];
  const wrong = members.findIndex((member, i) => i > 0 && member <= (members[i - 1] ?? ''));
  return wrong < 0 ? undefined : problem('is out of order or there twice', `[${wrong}]`);
});

const group = shape(
  { members: sortedAddresses },
  { namespace: anyText, namespaceSelector: selector, podSelector: selector },
);

const groupDelta = tagged('kind', {
  set: shape({ kind: anyText, group }),
  members: shape({ kind: anyText, added: list(address), removed: list(address) }),
  removed: shape({ kind: anyText }),
});

const identity = shape({
  namespace: anyText,
  name: anyText,
  uid: anyText,
  workload: anyText,
  labels,
  ports: list(containerPort),
});

/** What a sidecar may learn of another pod. */
export const peerIdentity: Check = shape({
  namespace: anyText,
  name: anyText,
  workload: anyText,
  labels,
  namespaceLabels: labels,
  ports: list(containerPort),
});

const VIRTUAL_KEY = /^(\S+) (TCP|UDP|SCTP)\/([1-9]\d{0,4})$/;

/** Keys are looked up as texts: one that is written otherwise would never be found, and its backends never asked about. */
function virtualKeyProblem(key: string): string | undefined {
  const [, host = '', , number = ''] = VIRTUAL_KEY.exec(key) ?? [];
  if (host === '' || Number(number) > MAX_PORT) return `is not a virtual port such as ${VIRTUAL_KEY_EXAMPLE}`;
  return addressProblem(host);
}

const virtualPort = shape(
  { namespace: anyText, name: anyText, backends: list(shape({ address, port })) },
  { port: anyText, affinitySeconds: integer(1, Number.MAX_SAFE_INTEGER) },
);

const tableShape = shape({
  schema,
  revision,
  subject,
  ...directions,
  groups: record(group),
  pods: record(identity, addressProblem),
  namespaces: record(labels),
  services: record(virtualPort, virtualKeyProblem),
});

const deltaShape = shape(
  { schema, from: revision, revision },
  {
    subject,
    ...directions,
    groups: record(groupDelta),
    pods: record(nullable(identity), addressProblem),
    namespaces: record(nullable(labels)),
    services: record(nullable(virtualPort), virtualKeyProblem),
  },
);

/** A form of another version is refused for that reason, not for the first field that differs. */
const knownSchema: Check = (value) => {
  if (typeof value !== 'object' || value === null || !('schema' in value)) return undefined;
  const found = schema(value.schema);
  return found === undefined ? undefined : problem(found.text, '.schema');
};

/** Every group that a rule asks for is there: a rule without its group would silently admit nothing. */
function missingGroup(table: Table): Problem | undefined {
  for (const direction of ['ingress', 'egress'] as const) {
    for (const [i, { peers }] of table[direction].rules.entries()) {
      for (const [j, peer] of peers.entries()) {
        if (peer.kind === 'ipBlock' || Object.hasOwn(table.groups, peer.group)) continue;
        return problem(
          `names a missing group: "${peer.group}"`,
          `.${direction}.rules[${i}].peers[${j}].group`,
        );
      }
    }
  }
  return undefined;
}

function misplacedMember(table: Table): Problem | undefined {
  const stray = strayMember(table);
  return (
    stray && problem(`does not select its member ${stray.address}`, `.groups[${JSON.stringify(stray.group)}]`)
  );
}

/** A table. */
export const checkTable = all(
  knownSchema,
  tableShape,
  (value) => missingGroup(value as Table),
  (value) => misplacedMember(value as Table),
);

/** A delta. Whether it fits a table shows when it is applied. */
export const checkDelta = all(knownSchema, deltaShape, (value) => {
  const { from, revision: to } = value as TableDelta;
  return to > from ? undefined : problem(`must be greater than from (${from}), is ${to}`, '.revision');
});

/** Reads a table, from the wire or from disk. Throws TABLE_MALFORMED with the path of what is wrong; refused whole. */
export function readTable(value: unknown): Table {
  requireForm(checkTable, value, 'table');
  return value as Table;
}
