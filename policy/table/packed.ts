/**
 * Parts of frames that come packed: each group, what changes in a group, and each part of the Services may be `{"packed":"…"}`. The
 * Services come as a list of parts; those of a table or a change become one record here.
 */

import { fieldsOf, isRecord } from '../../common/shape.ts';
import { malformed } from './form.ts';

/** Makes JSON text of a packed text; throws where it is none. */
export type Unpack = (packed: string) => string;

/**
 * A frame, parsed as JSON, with its packed parts unpacked in place.
 * @param unpack absent: they stay packed, and are refused by the check of the frame
 * @throws SluiceError `TABLE_MALFORMED`
 */
export function unpackFrame(frame: unknown, unpack: Unpack | undefined): unknown {
  const { table, change, outline } = fieldsOf(frame);
  for (const content of [table, change, outline]) {
    if (!isRecord(content)) continue;
    const { services, groups } = content;
    if (Array.isArray(services)) {
      const parts: readonly unknown[] = services.map((part) => unpacked(part, unpack));
      put(content, 'services', content !== outline && parts.every(isRecord) ? joined(parts) : parts);
    }
    if (!isRecord(groups)) continue;
    for (const [id, group] of Object.entries(groups)) put(groups, id, unpacked(group, unpack));
  }
  return frame;
}

function put(record: object, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}

function joined(parts: readonly Readonly<Record<string, unknown>>[]): object {
  return Object.fromEntries(parts.flatMap((part) => Object.entries(part)));
}

function unpacked(part: unknown, unpack: Unpack | undefined): unknown {
  if (unpack === undefined || !isRecord(part) || typeof part.packed !== 'string') return part;
  try {
    return JSON.parse(unpack(part.packed));
  } catch (error) {
    throw malformed(
      `a part of the frame cannot be unpacked: ${error instanceof Error ? error.message : error}`,
    );
  }
}
