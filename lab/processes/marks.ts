/** Marks in the environment of a lab's processes, by which they are found again. */

import { labPaths } from '../names/index.ts';

/** Environment variable that every process of a lab has; its value is the lab's name. */
export const LAB_PROCESS_MARK = 'SLUICE_LAB_PROCESS';

/** Environment variable that distinguishes labs of one name; its value is the lab's folder. */
export const LAB_FOLDER_MARK = 'SLUICE_LAB_FOLDER';

/** The environment by which a lab's processes are found again. */
export function labMarks(lab: string): Record<string, string> {
  return { [LAB_PROCESS_MARK]: lab, [LAB_FOLDER_MARK]: labPaths(lab).folder };
}
