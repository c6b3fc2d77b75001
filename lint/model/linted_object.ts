/** An object of manifests as findings name it. */
import { fieldsOf } from '../../common/shape.ts';
import { objectKey } from '../../policy/index.ts';
import type { LoadedObject, RawObject } from '../../sources/index.ts';
import type { LintedObject } from '../finding.ts';

/** Names it by its kind and key. */
export function lintedObject(object: LoadedObject | RawObject): LintedObject {
  const { kind, file, document, within, raw } = object;
  const { name, namespace, annotations } = fieldsOf(raw.metadata);
  const named = typeof namespace === 'string' ? objectKey(namespace, String(name)) : String(name);
  return {
    kind,
    key: 'key' in object ? object.key : named,
    file,
    document,
    annotations: fieldsOf(annotations),
    ...(within === undefined ? {} : { within }),
  };
}
