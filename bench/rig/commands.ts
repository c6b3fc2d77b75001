/** Runs system tools in the pods of the rig. */
import { inNetns, type Lab, runTool } from '../../lab/index.ts';

/**
 * Runs a command in a pod to its end.
 * @throws SluiceError `LAB_COMMAND_FAILED`
 */
export async function runInNetns(lab: Lab, pod: string, argv: readonly string[], input = ''): Promise<void> {
  await runTool(lab.name, inNetns(lab.netns(pod), argv), input);
}

/**
 * The same for commands whose output is wanted.
 * @throws SluiceError `LAB_COMMAND_FAILED`
 */
export async function readInNetns(lab: Lab, pod: string, argv: readonly string[]): Promise<string> {
  return await runTool(lab.name, inNetns(lab.netns(pod), argv));
}
