/** Runs system tools in the pods of the rig. */
import { inNetns, runTool } from '../lab/index.ts';
import type { Rig } from './rig.ts';

/**
 * Runs a command in a pod to its end.
 * @throws SluiceError `LAB_COMMAND_FAILED`
 */
export async function runInNetns(rig: Rig, pod: string, argv: readonly string[], input = ''): Promise<void> {
  await runTool(rig.lab.name, inNetns(rig.lab.netns(pod), argv), input);
}
