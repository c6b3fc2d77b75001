/**
 * Whether the kernel of this machine ends TCP connections, which of all that the direct path needs kernels lack most often. The
 * redirect step of a pod that asks for this path tries the rest as well: some of it shows only with the gate's rules there.
 */
import { firstLineOf } from '../../common/errno.ts';
import { PATH_ANNOTATION } from '../../injector/admission/index.ts';
import { type Finding, ok, warning } from './finding.ts';

const SUBJECT = 'this machine';

/** Tries it. Needs NET_ADMIN. @param problem of `endingProblem`; tests have others */
export async function checkMachine(
  problem: () => Promise<string | undefined> = kernelProblem,
): Promise<readonly Finding[]> {
  const found = await problem().catch((cause: unknown) => firstLineOf(cause));
  return found === undefined
    ? [
        ok(
          SUBJECT,
          `its kernel ends TCP connections, as the direct path needs; a pod with ${PATH_ANNOTATION} tries the rest when it starts`,
        ),
      ]
    : [
        warning(
          SUBJECT,
          `to end a TCP connection, as the direct path needs, was tried without success: ${found}. Run this as root, on a node; where it fails then, pods with ${PATH_ANNOTATION}=auto take the proxy, and those with direct do not start`,
        ),
      ];
}

/** The addon is loaded only here: other checks run where it cannot be. */
async function kernelProblem(): Promise<string | undefined> {
  return await (await import('../../sidecar/kernel/index.ts')).endingProblem();
}
