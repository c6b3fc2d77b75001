/** Sluice's gate for pods whose proxy is not Sluice: the rules that a sidecar puts in for the policy that admits the client. */
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { type Cluster, compile, objectKey, parseNetworkPolicy } from '../../policy/index.ts';
import { type GateSettings, wholeRuleset } from '../../sidecar/gate/kernel/index.ts';
import { atOnce, GatePlanner } from '../../sidecar/gate/plan/index.ts';
import { admission } from '../rig/manifests.ts';
import { type Path, podOf } from '../rig/path.ts';

/** As the sidecars of the rig have them: the defaults. */
const SETTINGS: GateSettings = { deny: 'drop', otherProtocols: 'drop', adminPort: SIDECAR_PORTS.admin };

/**
 * The rules as nft(8) text, which takes the place of the closed gate.
 * @param cluster with the pods of the client and of the path
 * @param matchesSockets whether the kernel can look at the socket that a packet meets
 */
export function openGateRules(cluster: Cluster, path: Pick<Path, 'name'>, matchesSockets = true): string {
  const parsed = parseNetworkPolicy(admission(path, 'client'));
  if (!parsed.ok) throw new Error(`the policy of ${path.name} cannot be read`);
  const { namespace, name } = parsed.object;
  const policies = new Map([...cluster.policies, [objectKey(namespace, name), parsed.object]]);
  const table = compile({ ...cluster, policies }, podOf(path), 1);
  return atOnce(wholeRuleset(atOnce(new GatePlanner().plan(table)), SETTINGS, { matchesSockets }));
}
