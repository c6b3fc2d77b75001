/** Objects of manifests and of the API of which only a few fields matter. */

/** An object with any fields. */
export type Json = Readonly<Record<string, unknown>>;

/** A value's fields; none where it is no object. */
export function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
