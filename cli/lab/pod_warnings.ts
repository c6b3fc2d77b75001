/** What the policies of a lab's pods seem to forget. */
import { labStatus, podWarnings } from '../../lab/index.ts';
import { nameSuffix, warn } from './lab_flags.ts';

/** Warnings that are printed; the rest is counted. */
const WARNINGS_SHOWN = 10;

/** Says it on standard error. */
export async function warnOfPods(name: string): Promise<void> {
  const warnings = podWarnings((await labStatus(name)).pods);
  for (const warning of warnings.slice(0, WARNINGS_SHOWN)) warn(warning);
  const more = warnings.length - WARNINGS_SHOWN;
  if (more > 0) warn(`${more} more like these: see sluice lab status${nameSuffix(name)}`);
}
