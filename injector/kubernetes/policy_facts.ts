/** What is known of a policy besides what it says. */
import { STATUS_ANNOTATION } from '../admission/index.ts';
import type { RawObject } from '../api/index.ts';

/** See above. */
export interface PolicyFacts {
  readonly uid: string;
  /** `metadata.generation`: counts its changes. */
  readonly generation: number;
  /** Its status annotation, as it is now. */
  readonly status: string | undefined;
}

/** What is known of a policy by its metadata. */
export function policyFacts({ metadata }: RawObject): PolicyFacts {
  const { uid, generation = 0, annotations = {} } = metadata;
  return { uid, generation, status: annotations[STATUS_ANNOTATION] };
}
