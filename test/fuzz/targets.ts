/** All fuzzers there are. */
import type { FuzzTarget } from './target.ts';
import { adminTarget } from './targets/admin.ts';
import { admissionTarget } from './targets/admission.ts';
import { framesTarget } from './targets/frames.ts';
import { policiesTarget } from './targets/policies.ts';
import { sidecarFramesTarget } from './targets/sidecar_frames.ts';

/** In the order in which they run. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  framesTarget,
  sidecarFramesTarget,
  admissionTarget,
  adminTarget,
  policiesTarget,
];
