/** An object as the API sends it: only the metadata that a reflector goes by is known. */
import { AnswerMalformed } from './api_failure.ts';

/** An object of any kind. */
export interface RawObject {
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** Identifies an object among those of its kind: `namespace/name`, or the name of what has no namespace. */
export function keyOf({ metadata }: RawObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** @throws AnswerMalformed when it lacks what every stored object has */
export function readRawObject(value: unknown): RawObject {
  const metadata = field(value, 'metadata');
  for (const name of ['name', 'uid', 'resourceVersion'])
    if (typeof field(metadata, name) !== 'string')
      throw new AnswerMalformed(`an object without metadata.${name}`);
  return value as RawObject;
}

/** A part of a JSON value; undefined where there is none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
