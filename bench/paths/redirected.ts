/** The TPROXY rules that Sluice's own redirect makes, for proxies that are not Sluice. */

import { SIDECAR_PORTS } from '../../common/contract.ts';
import type { ProcessId } from '../../lab/index.ts';
import { applyRedirect, labPaths, readState, startProcess } from '../../lab/index.ts';
import { runInNetns } from '../rig/commands.ts';
import { type Path, type PathRig, podOf } from '../rig/path.ts';

/** Where TPROXY delivers: SLUICE_INBOUND_PORT's default. */
export const INBOUND_PORT = SIDECAR_PORTS.inbound;

/** Puts the redirect into a pod, without the gate: that one is part of Sluice, and would stay closed. */
export async function redirect(rig: PathRig, path: Pick<Path, 'name'>): Promise<void> {
  const { name } = rig.lab;
  await applyRedirect(labPaths(name), readState(name), rig.lab.pod(podOf(path)));
  await runInNetns(rig.lab, podOf(path), ['nft', 'delete', 'table', 'inet', 'sluice']);
}

/** Starts a proxy in a path's pod. */
export async function startProxy(
  rig: PathRig,
  path: Pick<Path, 'name'>,
  argv: readonly string[],
): Promise<ProcessId> {
  const { id } = await startProcess({
    lab: rig.lab.name,
    netns: rig.lab.netns(podOf(path)),
    argv,
    env: {},
    logFile: rig.lab.logFile(podOf(path), 'sidecar'),
  });
  return id;
}
