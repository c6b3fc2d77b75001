/** The TPROXY rules that Sluice's own redirect makes, and its gate, for proxies that are not Sluice. */

import { SIDECAR_PORTS } from '../../common/contract.ts';
import type { ProcessId } from '../../lab/index.ts';
import { applyRedirect, labPaths, readState, startProcess } from '../../lab/index.ts';
import { readManifests } from '../../sources/index.ts';
import { runInNetns } from '../rig/commands.ts';
import { type Path, type PathRig, podOf } from '../rig/path.ts';
import { openGateRules } from './open_gate.ts';

/** Where TPROXY delivers: SLUICE_INBOUND_PORT's default. */
export const INBOUND_PORT = SIDECAR_PORTS.inbound;

/**
 * The rule for SYNs that meet a socket, such as one in TIME_WAIT of the connection that had the client's port before. It leads to
 * ports on which only Sluice listens; without it they go to the proxy. docs/adr/0020
 */
const MET = ['-m', 'conntrack', '--ctstate', 'NEW', '-m', 'socket', '-g', 'SLUICE_MET'];

/**
 * Puts the redirect into a pod, and Sluice's gate, open to the client: what the gate costs is the same on all paths that are
 * compared. The guard against forged addresses is Sluice's alone.
 */
export async function redirect(rig: PathRig, path: Pick<Path, 'name'>): Promise<void> {
  const paths = labPaths(rig.lab.name);
  await applyRedirect(paths, readState(rig.lab.name), rig.lab.pod(podOf(path)));
  const { cluster } = await readManifests([paths.manifests]);
  const load = async (matchesSockets: boolean): Promise<void> => {
    const rules = openGateRules(cluster, path, matchesSockets);
    await runInNetns(rig.lab, podOf(path), ['nft', '-f', '-'], rules);
  };
  await load(true).catch(async () => await load(false));
  await runInNetns(rig.lab, podOf(path), ['iptables', '-w', '-t', 'mangle', '-D', 'SLUICE_SYN', ...MET]);
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
