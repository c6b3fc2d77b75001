/** An object as the API sends it: only the metadata that a reflector goes by is known. */
import { integer, isRecord, part, record, type TypeOf, text } from '../../common/shape.ts';
import { answerMalformed } from './api_failure.ts';

/**
 * What an int64 can hold, as near as a number comes to it. Of some kinds the API server stores the generation that a client
 * wrote, with any value: one such object must not make all others unreadable.
 */
const INT64 = { min: -(2 ** 63), max: 2 ** 63 } as const;

const rawObject = part({
  metadata: part(
    { name: text(), uid: text(), resourceVersion: text() },
    { namespace: text(), generation: integer(INT64.min, INT64.max), annotations: record(text()) },
  ),
});

/** An object of any kind. */
export interface RawObject extends TypeOf<typeof rawObject> {}

/** Identifies an object among those of its kind: `namespace/name`, or the name of what has no namespace. */
export function keyOf({ metadata }: RawObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** @throws AnswerMalformed when it lacks what every stored object has */
export function readRawObject(value: unknown): RawObject {
  return rawObject.read(value, 'an object', answerMalformed);
}

/** @throws AnswerMalformed as `readRawObject`, and for what is no JSON */
export function readRawObjectJson(text: string): RawObject {
  return rawObject.readJson(text, 'an object', answerMalformed);
}

/** A part of a JSON value; undefined where there is none. */
export function field(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}
