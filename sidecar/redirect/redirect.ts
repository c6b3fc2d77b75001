/** Puts the redirect into this network namespace's kernel, and takes it out again. Each may be run again. */
import { readFile, writeFile } from 'node:fs/promises';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { Family } from '../../native/index.ts';
import { closeGate, removeGate } from '../gate/kernel/index.ts';
import { bindGuard, installGuard, ownAddresses, planGuard, removeGuard } from '../guard/index.ts';
import { isSwitchedOn, kernelFamilies, tryTool, whyNotDirect } from '../kernel/index.ts';
import { type AppliedRedirect, limitsOf } from './applied_redirect.ts';
import { hasRedirect, removeChains } from './own_chains.ts';
import { asksFor, type Paths, resolvePaths } from './paths.ts';
import { planFor, type RedirectConfig } from './redirect_config.ts';
import {
  chains,
  LOCAL_ROUTE,
  POLICY_RULE,
  REDIRECT_SCOPES,
  type RedirectPlan,
  type RedirectScope,
  restoreText,
} from './rules.ts';
import { savedRules } from './saved_rules.ts';
import { type Backend, chooseBackend, iptables, toolError } from './tools.ts';

/** tcp_mtu_probing of tcp(7): 0 is never, 1 when packets are lost time and again. */
const MTU_PROBING = '/proc/sys/net/ipv4/tcp_mtu_probing';

/** What `closeGate` says where there is a gate. */
const GATE_THERE: readonly string[] = ['closed', 'kept'];

/**
 * Applies the redirect for both families. Where IPv6 is switched off its rules are there all the same: without a
 * listener they drop.
 * @param kept paths that are decided already; absent: they are decided now
 * @throws SluiceError `REDIRECT_*` saying what is missing; nothing is then redirected half: the caller must not go on.
 */
export async function applyRedirect(config: RedirectConfig, kept?: Paths): Promise<AppliedRedirect> {
  const { backend, because } = await chooseBackend(config.iptables);
  const families = kernelFamilies();
  const plan = await planGuard(config.nodeIPs);
  const nodeIPs = plan.nodes.map(({ address }) => address);
  const own = ownAddresses();
  const problems = await installGuard(plan, undefined, own);
  const gate = await closed(config, nodeIPs); // first: from here on nothing unchecked gets in
  const limits: string[] = [];
  const { paths, notDirect } = kept === undefined ? await decidePaths(config, gate) : { paths: kept }; // with the gate, which has connection tracking look at packets
  for (const family of families) {
    const redirect = planFor(config, nodeIPs, paths);
    if (isSwitchedOn(family)) await routeMarkedLocally(family);
    const scope = await restoreAsMuchAsPossible(backend, family, redirect);
    limits.push(...limitsOf(family, scope));
  }
  const mtuProbing = await probePathMtu();
  const bound = problems.packets === undefined ? await bindGuard(plan) : plan;
  const found = notDirect === undefined ? { paths } : { paths, notDirect };
  const guard = { nodes: bound.nodes, problems };
  return {
    redirect: { backend, because, families, nodeIPs, ...found, gate, limits, guard, mtuProbing },
    guard: { plan: bound, problems, own },
  };
}

/**
 * Decides which ports are direct: where it is asked for, this kernel is tried.
 * @throws SluiceError `PATH_UNSUPPORTED` where `direct` is asked for and the kernel cannot do it
 */
async function decidePaths(
  config: RedirectConfig,
  gate: string,
): Promise<{ readonly paths: Paths; readonly notDirect?: string }> {
  const hasGate = GATE_THERE.includes(gate);
  const isAsked = asksFor('direct', config) || asksFor('auto', config);
  if (!isAsked) return { paths: resolvePaths(config, { gate: hasGate, direct: false }) };
  const notDirect = hasGate ? await whyNotDirect() : `there is no gate: ${gate}`;
  const paths = resolvePaths(config, { gate: hasGate, direct: notDirect === undefined });
  if (notDirect === undefined) return { paths };
  if (!asksFor('direct', config)) return { paths, notDirect };
  throw new SluiceError(
    'PATH_UNSUPPORTED',
    `SLUICE_PATH asks for the direct path, and ${notDirect}: set it to auto, which then takes the proxy, or to proxy`,
  );
}

/**
 * Has TCP of this network namespace find out by itself that a path drops large packets without a word (RFC 4821, when packets
 * are lost time and again). Containers may seldom write the setting; without it such a path stalls, as without the sidecar.
 * @returns `on`, or why not
 */
async function probePathMtu(): Promise<string> {
  try {
    if ((await readFile(MTU_PROBING, 'utf8')).trim() === '0') await writeFile(MTU_PROBING, '1');
    return 'on';
  } catch (error) {
    return `off: ${messageOf(error)}`;
  }
}

/**
 * Fills the chains; those that the kernel cannot do are left out.
 * @throws SluiceError `REDIRECT_*` where it cannot do even the least
 */
async function restoreAsMuchAsPossible(
  backend: Backend,
  family: Family,
  plan: RedirectPlan,
): Promise<RedirectScope> {
  const command = iptables(backend, family, '-restore');
  const args = ['-w', '--noflush'];
  let failure = '';
  for (const scope of REDIRECT_SCOPES) {
    const list = chains(family, plan, scope);
    // Read each time: a failed attempt may have filled the first tables.
    const saved = await savedRules(backend, family);
    const unreached = list.filter((chain) => !saved.isReached(chain));
    const result = await tryTool(command, args, restoreText(list, unreached));
    if (result.status === 0) {
      if (scope !== 'all') await removeUnused(backend, family, plan, scope);
      return scope;
    }
    failure = result.stderr;
  }
  throw toolError(command, args, failure);
}

/** Chains of a wider scope, which a failed attempt may have left behind. */
async function removeUnused(
  backend: Backend,
  family: Family,
  plan: RedirectPlan,
  scope: RedirectScope,
): Promise<void> {
  const used = new Set(chains(family, plan, scope).map(({ table, name }) => `${table} ${name}`));
  const unused = chains(family, plan).filter(({ table, name }) => !used.has(`${table} ${name}`));
  await removeChains(backend, family, unused);
}

/** Removes every rule of ours from both back ends. What is not there is no error. */
export async function removeRedirect(config: RedirectConfig): Promise<void> {
  await removeGate().catch(() => {}); // without nft there is none
  await removeGuard().catch(() => {});
  // With all chains that there may be.
  const none = planFor(config, [], { usual: 'direct', others: [] });
  for (const family of kernelFamilies()) {
    for (const backend of ['nft', 'legacy'] as const) {
      if (!hasRedirect(await savedRules(backend, family))) continue;
      await removeChains(backend, family, chains(family, none));
    }
    await tryTool('ip', [`-${family}`, 'rule', 'del', ...POLICY_RULE]);
    await tryTool('ip', [`-${family}`, 'route', 'del', ...LOCAL_ROUTE]);
  }
}

/** Without nft the proxy alone refuses, after accept; the sidecar says so for as long as it runs. */
async function closed(config: RedirectConfig, nodeIPs: readonly string[]): Promise<string> {
  try {
    return await closeGate(config, nodeIPs);
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'GATE_UNAVAILABLE') return error.message;
    throw error;
  }
}

/** The rule comes last: where it is there already, the kernel says so, and all is done. */
async function routeMarkedLocally(family: Family): Promise<void> {
  const args = [`-${family}`, '-batch', '-'];
  const orders = [`route replace ${LOCAL_ROUTE.join(' ')}`, `rule add ${POLICY_RULE.join(' ')}`];
  const { status, stderr } = await tryTool('ip', args, `${orders.join('\n')}\n`);
  const isThere = /file exists/i.test(stderr) && !stderr.includes('Command failed -:1');
  if (status !== 0 && !isThere) throw toolError('ip', args, stderr);
}
