/**
 * Writes the changes of a plan as elements over netlink: no process is started. Most changes of a cluster are of this kind,
 * beside those of Services.
 */
import { unreachable } from '../../../common/errors.ts';
import { addressBytes, CHAINS_MAX, ELEMENTS_MAX, type ElementChange } from '../../kernel/index.ts';
import type { GateChange } from '../plan/index.ts';
import { chainName, WAYS } from './names.ts';

/** One transaction. */
export interface ElementTransaction {
  readonly changes: readonly ElementChange[];
  /** To be removed after the elements that led to them. */
  readonly goneChains: readonly string[];
}

/** The changes as one transaction; `undefined` where rules or ranges change too, or more than one transaction can hold. */
export function netlinkElements(list: readonly GateChange[]): ElementTransaction | undefined {
  const changes: ElementChange[] = [];
  const goneChains: string[] = [];
  let count = 0;
  for (const change of list) {
    switch (change.kind) {
      case 'pods': {
        const way = WAYS[change.direction];
        count += change.removed.length + change.added.length;
        if (count > ELEMENTS_MAX) return undefined;
        changes.push({
          object: `${way.name}_pods${change.family}`,
          removed: change.removed.map(([address]) => addressBytes(address)),
          added: change.added.map(([address, id]) => ({
            key: addressBytes(address),
            chain: chainName(way, id),
          })),
        });
        break;
      }
      case 'access-removed':
        goneChains.push(chainName(WAYS[change.direction], change.id));
        break;
      case 'access-added':
      case 'addresses':
      case 'isolation':
      case 'rest':
      case 'blocks':
      case 'translation':
        return undefined;
      default:
        return unreachable(change);
    }
  }
  return goneChains.length > CHAINS_MAX ? undefined : { changes, goneChains };
}
