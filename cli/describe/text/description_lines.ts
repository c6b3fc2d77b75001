/** A description, in lines. */
import { unreachable } from '../../../common/errors.ts';
import type { Lines } from '../../lines.ts';
import type { Description } from '../description.ts';
import type { Amount } from './amount.ts';
import { namespaceLines } from './namespace_lines.ts';
import { podsLines } from './pods_lines.ts';
import { policyLines } from './policy_lines.ts';

/** All of it. */
export function descriptionLines(description: Description, amount: Amount): readonly Lines[] {
  switch (description.kind) {
    case 'pod':
    case 'workload':
      return podsLines(description, amount);
    case 'namespace':
      return namespaceLines(description, amount);
    case 'netpol':
      return policyLines(description, amount);
    default:
      return unreachable(description);
  }
}
