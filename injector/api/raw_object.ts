/** An object as the API sends it: only the metadata that a reflector goes by is known. */
import { integer, isRecord, part, record, type TypeOf, text } from '../../common/shape.ts';
import { answerMalformed } from './api_failure.ts';

const rawObject = part({
  metadata: part(
    { name: text(), uid: text(), resourceVersion: text() },
    { namespace: text(), generation: integer(0, Number.MAX_SAFE_INTEGER), annotations: record(text()) },
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

/** A part of a JSON value; undefined where there is none. */
export function field(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}
