/** Parts of frames that come packed: each group, what changes in a group, and the Services may be `{"packed":"…"}`. */

import { fieldsOf, isRecord } from '../../common/shape.ts';
import { malformed } from './form.ts';

/** Makes JSON text of a packed text; throws where it is none. */
export type Unpack = (packed: string) => string;

/**
 * A frame, parsed as JSON, with its packed parts unpacked in place.
 * @throws SluiceError `TABLE_MALFORMED`
 */
export function unpackFrame(frame: unknown, unpack: Unpack): unknown {
  const { table, change, outline } = fieldsOf(frame);
  for (const content of [table, change, outline]) {
    if (!isRecord(content)) continue;
    unpackEntry(content, 'services', unpack);
    if (!isRecord(content.groups)) continue;
    for (const id of Object.keys(content.groups)) unpackEntry(content.groups, id, unpack);
  }
  return frame;
}

function unpackEntry(entries: Readonly<Record<string, unknown>>, key: string, unpack: Unpack): void {
  const entry = entries[key];
  if (!isRecord(entry) || typeof entry.packed !== 'string') return;
  let value: unknown;
  try {
    value = JSON.parse(unpack(entry.packed));
  } catch (error) {
    throw malformed(
      `a part of the frame cannot be unpacked: ${error instanceof Error ? error.message : error}`,
    );
  }
  Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true });
}
