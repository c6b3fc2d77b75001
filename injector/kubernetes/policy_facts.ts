/** What is known of a policy besides what it says. */
import { ENFORCED_GENERATION_ANNOTATION, STATE_ANNOTATION, STATUS_ANNOTATION } from '../admission/index.ts';
import type { RawObject } from '../api/index.ts';

/** See above. */
export interface PolicyFacts {
  readonly uid: string;
  /** `metadata.generation`: counts its changes. */
  readonly generation: number;
  /** What the injector has written on it, as it is now. */
  readonly written: WrittenAnnotations;
}

/** Those annotations of a policy that the injector writes. */
export const WRITTEN_ANNOTATIONS = [
  STATUS_ANNOTATION,
  STATE_ANNOTATION,
  ENFORCED_GENERATION_ANNOTATION,
] as const;

/** Under this name the injector writes them: `metadata.managedFields` says so. */
export const STATUS_MANAGER = 'sluice-injector';

/** Their values. */
export type WrittenAnnotations = Readonly<
  Partial<Record<(typeof WRITTEN_ANNOTATIONS)[number], string | undefined>>
>;

/** What is known of a policy by its metadata. */
export function policyFacts({ metadata }: RawObject): PolicyFacts {
  const { uid, generation = 0, annotations = {} } = metadata;
  return {
    uid,
    generation,
    written: Object.fromEntries(WRITTEN_ANNOTATIONS.map((name) => [name, annotations[name]])),
  };
}
