/**
 * Writes the changes of a plan as elements over netlink: no process is started. Most changes of a cluster are of this kind,
 * beside those of Services.
 */
import { unreachable } from '../../../common/errors.ts';
import { addressBytes, CHAINS_MAX, ELEMENTS_MAX, type ElementChange } from '../../kernel/index.ts';
import type { GateChange } from '../plan/index.ts';
import { commonSet, NONE_COMMON } from './common_access.ts';
import { chainName, WAYS } from './names.ts';

/** One transaction. */
export interface ElementTransaction {
  readonly changes: readonly ElementChange[];
  /** To be removed after the elements that led to them. */
  readonly goneChains: readonly string[];
}

/**
 * The changes as one transaction; `undefined` where rules or ranges change too, or more than one transaction can hold.
 * @param common accesses whose pods are in sets, before and after the changes
 */
export function netlinkElements(
  list: readonly GateChange[],
  common = NONE_COMMON,
): ElementTransaction | undefined {
  const changes: ElementChange[] = [];
  const goneChains: string[] = [];
  let count = 0;
  for (const change of list) {
    switch (change.kind) {
      case 'pods': {
        const way = WAYS[change.direction];
        count += change.removed.length + change.added.length;
        if (count > ELEMENTS_MAX) return undefined;
        const id = common[change.direction];
        const isCommon = ([, access]: readonly [string, string]): boolean => access === id;
        const isOther = ([, access]: readonly [string, string]): boolean => access !== id;
        changes.push({
          object: `${way.name}_pods${change.family}`,
          removed: change.removed.filter(isOther).map(([address]) => addressBytes(address)),
          added: change.added.filter(isOther).map(([address, access]) => ({
            key: addressBytes(address),
            chain: chainName(way, access),
          })),
        });
        if (id === undefined) break;
        changes.push({
          object: commonSet(change.direction, change.family),
          removed: change.removed.filter(isCommon).map(([address]) => addressBytes(address)),
          added: change.added.filter(isCommon).map(([address]) => ({ key: addressBytes(address) })),
        });
        break;
      }
      case 'access-removed':
        if (change.id === common[change.direction]) return undefined; // a rule leads to its chain
        goneChains.push(chainName(WAYS[change.direction], change.id));
        break;
      case 'access-added':
      case 'addresses':
      case 'isolation':
      case 'unmet':
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
