/** Shapes that several parts of tables and frames are made of. */

import { MAX_PORT, PROTOCOLS } from '../../common/net.ts';
import {
  integer,
  list,
  type ObjectShape,
  objectFor,
  oneOf,
  record,
  type Shape,
  text,
} from '../../common/shape.ts';
import { formatAddress, formatCidr, parseAddress, parseCidr } from '../addresses/index.ts';
import type { ContainerPort, LabelSelector, LabelSelectorRequirement, Labels, Protocol } from '../model.ts';
import { type PolicyRef, TIERS } from '../verdict.ts';

/** What is wrong with a text that should be a canonical address, if anything. */
export function addressProblem(value: string): string | undefined {
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

/** A text of any form. */
export const anyText: Shape<string> = text();

/** A whole number that JSON carries exactly, such as a revision. */
export const whole: Shape<number> = integer(0, Number.MAX_SAFE_INTEGER);

/** A canonical address. */
export const address: Shape<string> = text(addressProblem);

/** A canonical address block: host bits masked. */
export const cidr: Shape<string> = text(cidrProblem);

/** A port number. */
export const port: Shape<number> = integer(0, MAX_PORT);

/** A layer 4 protocol. */
export const protocol: Shape<Protocol> = oneOf(...PROTOCOLS);

/** Labels of an object. */
export const labels: Shape<Labels> = record(anyText);

/**
 * The name of a policy, wherever a table or a frame has one: what `PolicyRef` gains is checked here, and nowhere else. The rules
 * of another kind or tier would mean something else: such a table is refused.
 */
export const policyRef: ObjectShape<PolicyRef> = objectFor<PolicyRef>(
  { namespace: anyText, name: anyText },
  { kind: oneOf('NetworkPolicy'), tier: oneOf(...TIERS) },
);

/** A port that a container declares. */
export const containerPort: ObjectShape<ContainerPort> = objectFor<ContainerPort>(
  { port, protocol },
  { name: anyText },
);

/** A label selector. */
export const selector: ObjectShape<LabelSelector> = objectFor<LabelSelector>(
  {
    matchLabels: labels,
    matchExpressions: list(
      objectFor<LabelSelectorRequirement>(
        { key: anyText, operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist'), values: list(anyText) },
        {},
      ),
    ),
  },
  {},
);
