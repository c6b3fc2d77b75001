/** NP017. */
import { type Cidr, parseCidr } from '../../policy/index.ts';
import type { FieldPath } from '../../sources/index.ts';
import { nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { contains } from './cover.ts';
import { policyErrors } from './faults.ts';

/** An except that takes nothing or everything away. */
export const np017: Rule = {
  code: 'NP017',
  severity: 'warning',
  title: 'except outside its cidr, or covering all of it',
  explanation: `The parts in except are taken out of cidr. One that is not within cidr takes nothing away, and the API server refuses it. Where
the parts cover all of cidr, the entry admits nobody.`,
  remedy: 'Correct cidr or except.',
  *check(model) {
    for (const { object, path, message } of policyErrors(model)) {
      if (isExceptFault(path)) yield { object, path, message: `${object.key}: except: ${message}` };
    }
    for (const linted of model.policies)
      for (const { rule, path, peersField } of rulesIn(linted))
        for (const [at, peer] of rule.peers.entries()) {
          if (peer.kind !== 'ipBlock' || !isCovered(peer.ipBlock.cidr, peer.ipBlock.except)) continue;
          yield {
            object: linted.object,
            path: [...path, peersField, at, 'ipBlock', 'except'],
            message: `${nameOf(linted)}: except covers all of ${peer.ipBlock.cidr}: the entry admits nobody`,
          };
        }
  },
};

/** Whether a fault is one of an item of `except`. */
export function isExceptFault(path: FieldPath): boolean {
  return path.at(-2) === 'except';
}

/** Blocks lie within each other or apart: what is left after leaving out inner ones adds up. */
function isCovered(cidr: string, except: readonly string[]): boolean {
  const whole = parseCidr(cidr)?.cidr;
  if (whole === undefined || except.length === 0) return false;
  const parts = except
    .flatMap((text) => parseCidr(text)?.cidr ?? [])
    .sort((a, b) => a.prefix - b.prefix)
    .reduce<Cidr[]>((outer, part) => {
      if (contains(whole, part) && !outer.some((one) => contains(one, part))) outer.push(part);
      return outer;
    }, []);
  return parts.reduce((share, { prefix }) => share + 2 ** (whole.prefix - prefix), 0) === 1;
}
