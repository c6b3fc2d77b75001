/** Ports to which the gate drops SYNs, as their apps' accept queues are full: elements of sets of its own. */

import { familyOf } from '../../../policy/index.ts';
import type { Side } from '../../kernel/index.ts';
import { addressBytes, changeElements } from '../../kernel/index.ts';
import { FAMILIES, GATE_TABLE_NAME } from './names.ts';

/**
 * Drops SYNs to `added` and goes on dropping those to `renewed`, for as long as the set keeps its elements.
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export async function holdSyns({
  added,
  renewed,
}: {
  readonly added: readonly Side[];
  readonly renewed: readonly Side[];
}): Promise<void> {
  const all = [...added, ...renewed];
  // What has gone by itself, or with the whole table, cannot be removed: then it is new.
  if (renewed.length > 0 && (await change(renewed, all).then(did, didNot))) return;
  await change([], all);
}

/**
 * Lets SYNs to these in again. What is not held any more is no error.
 * @throws SluiceError `SOCKET_*`
 */
export async function releaseSyns(places: readonly Side[]): Promise<void> {
  await change(places, []).then(did, didNot);
}

const did = (): boolean => true;
const didNot = (): boolean => false;

function change(removed: readonly Side[], added: readonly Side[]): Promise<void> {
  const changes = FAMILIES.map((family) => {
    const keys = (list: readonly Side[]): readonly Uint8Array[] =>
      list.filter(({ address }) => familyOf(address) === family).map(keyOf);
    return { object: `full${family}`, removed: keys(removed), added: keys(added).map((key) => ({ key })) };
  });
  return changeElements(GATE_TABLE_NAME, changes);
}

/** Each part begins at a multiple of four bytes. */
function keyOf({ address, port }: Side): Uint8Array {
  return Uint8Array.of(...addressBytes(address), port >>> 8, port & 0xff, 0, 0);
}
