/** What an object's metadata says of its last change. Source: `metav1.ObjectMeta`, `managedFields`. */
import { fieldsOf, itemsOf } from '../../common/shape.ts';
import type { ClusterKind } from '../../policy/index.ts';
import { field, type RawObject } from '../api/index.ts';
import type { ChangeOrigin } from '../changes/index.ts';
import { STATUS_MANAGER } from './policy_facts.ts';

/** Entries of `managedFields` that are looked at: a user who may write an object can add many. */
const MAX_ENTRIES = 64;

/** The API takes names of managers up to this length. */
const MAX_NAME = 128;

/** Kinds whose status tables depend on, such as addresses: who wrote it has changed the object. */
const WITH_STATUS: ReadonlySet<ClusterKind> = new Set(['Pod', 'Node', 'Service']);

/** The API's time of day, to the second, as it writes it: such texts are in the order of their times. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/**
 * The generation, and the manager and time of the latest entry of `managedFields`. Of entries of the same second one that is about
 * the object itself goes before one about its status. What the injector writes on policies is passed over, and so is the status of
 * kinds where no table depends on it.
 */
export function changeOrigin(kind: ClusterKind, { metadata }: RawObject): ChangeOrigin {
  const { generation } = metadata;
  let latest: { manager: string; time: string; isStatus: boolean } | undefined;
  for (const entry of itemsOf(field(metadata, 'managedFields')).slice(0, MAX_ENTRIES)) {
    const { manager, time, subresource } = fieldsOf(entry);
    if (typeof manager !== 'string' || typeof time !== 'string' || !TIME.test(time)) continue;
    const isStatus = typeof subresource === 'string' && subresource !== '';
    if (manager === STATUS_MANAGER || (isStatus && !WITH_STATUS.has(kind))) continue;
    if (
      latest !== undefined &&
      (time < latest.time || (time === latest.time && isStatus && !latest.isStatus))
    )
      continue;
    latest = { manager: manager.slice(0, MAX_NAME), time, isStatus };
  }
  return {
    ...(generation === undefined ? {} : { generation }),
    ...(latest === undefined ? {} : { manager: latest.manager, at: latest.time }),
  };
}
