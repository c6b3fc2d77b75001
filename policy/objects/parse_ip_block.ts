/** `ipBlock` of a policy peer. Source: `IPBlock` in networking.k8s.io/v1. */

import { type Cidr, formatCidr, isStrictSubset, parseCidr } from '../addresses/index.ts';
import type { IPBlock } from '../model.ts';
import type { Field } from './field.ts';

const LEADING_ZERO = /(^|[.])0\d/;

function cidrProblem(text: string): string {
  const example = '(e.g. 10.9.8.0/24 or 2001:db8::/64)';
  if (LEADING_ZERO.test(text)) return `must not have leading 0s in IPv4 octets ${example}`;
  return `must be a valid CIDR value, ${example}`;
}

function readCidr(field: Field): Cidr | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const written = parseCidr(text);
  if (written === undefined) {
    field.invalid(cidrProblem(text));
    return undefined;
  }
  const canonical = formatCidr(written.cidr);
  // cidr: bits beyond the prefix length have no meaning. Older objects have them; newer API servers refuse them.
  if (written.hostBits) {
    field.warn(
      `"${text}" has bits set beyond the prefix length, it means ${canonical}; newer API servers refuse it`,
    );
  }
  if (written.mapped) {
    field.warn(`"${text}" is an IPv4-mapped IPv6 block, it means ${canonical}; newer API servers refuse it`);
  }
  return written.cidr;
}

/** Reads an address block; undefined when it cannot be used. */
export function readIPBlock(field: Field): IPBlock | undefined {
  if (!field.object(['cidr', 'except'])) return undefined;
  const cidrField = field.child('cidr');
  // cidr: required.
  if (cidrField.isAbsent || cidrField.value === '') cidrField.required();
  const cidr = cidrField.value === '' ? undefined : readCidr(cidrField);
  const except = field
    .child('except')
    .items()
    .flatMap((item) => {
      if (item.isAbsent) item.invalid(cidrProblem(''));
      const exception = readCidr(item);
      if (exception === undefined) return [];
      // except: parts of cidr, each smaller than it.
      if (cidr !== undefined && !isStrictSubset(exception, cidr))
        item.invalid('must be a strict subset of `cidr`');
      return [formatCidr(exception)];
    });
  return cidr === undefined ? undefined : { cidr: formatCidr(cidr), except };
}
