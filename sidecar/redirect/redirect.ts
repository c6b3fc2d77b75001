/** Puts the redirect into this network namespace's kernel, and takes it out again. Each may be run again. */
import { readFile, writeFile } from 'node:fs/promises';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { Family } from '../../native/index.ts';
import { closeGate, removeGate } from '../gate/kernel/index.ts';
import { bindGuard, installGuard, planGuard, removeGuard } from '../guard/index.ts';
import { isSwitchedOn, kernelFamilies, tryTool, whyNotDirect } from '../kernel/index.ts';
import { limitsOf, type Redirect } from './applied_redirect.ts';
import { chainsPresent, removeChains } from './own_chains.ts';
import { asksFor, type Paths, resolvePaths } from './paths.ts';
import { planFor, type RedirectConfig } from './redirect_config.ts';
import {
  type Chain,
  chains,
  LOCAL_ROUTE,
  POLICY_RULE,
  REDIRECT_SCOPES,
  type RedirectPlan,
  type RedirectScope,
  restoreText,
  SHOW_RULE,
} from './rules.ts';
import { type Backend, chooseBackend, iptables, runTool, toolError } from './tools.ts';

/** tcp_mtu_probing of tcp(7): 0 is never, 1 when packets are lost time and again. */
const MTU_PROBING = '/proc/sys/net/ipv4/tcp_mtu_probing';

/** What `closeGate` says where there is a gate. */
const GATE_THERE: readonly string[] = ['closed', 'kept'];

/**
 * Applies the redirect for both families. Where IPv6 is switched off its rules are there all the same: without a
 * listener they drop.
 * @throws SluiceError `REDIRECT_*` saying what is missing; nothing is then redirected half: the caller must not go on.
 */
export async function applyRedirect(config: RedirectConfig): Promise<Redirect> {
  const { backend, because } = await chooseBackend(config.iptables);
  const families = kernelFamilies();
  const plan = await planGuard(config.nodeIPs);
  const nodeIPs = plan.nodes.map(({ address }) => address);
  const problems = await installGuard(plan);
  const gate = await closed(config, nodeIPs); // first: from here on nothing unchecked gets in
  const limits: string[] = [];
  const { paths, notDirect } = await decidePaths(config, gate); // with the gate, which has connection tracking look at packets
  for (const family of families) {
    const redirect = planFor(config, nodeIPs, paths);
    if (isSwitchedOn(family)) await routeMarkedLocally(family);
    const scope = await restoreAsMuchAsPossible(backend, family, redirect);
    for (const chain of chains(family, redirect, scope)) await jumpTo(backend, family, chain);
    limits.push(...limitsOf(family, scope));
  }
  const mtuProbing = await probePathMtu();
  const { nodes } = problems.packets === undefined ? await bindGuard(plan) : plan;
  const found = notDirect === undefined ? { paths } : { paths, notDirect };
  const guard = { nodes, problems };
  return { backend, because, families, nodeIPs, ...found, gate, limits, guard, mtuProbing };
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
    const result = await tryTool(command, args, restoreText(chains(family, plan, scope)));
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
      if (!(await chainsPresent(backend, family))) continue;
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

async function routeMarkedLocally(family: Family): Promise<void> {
  await runTool('ip', [`-${family}`, 'route', 'replace', ...LOCAL_ROUTE]);
  const listed = await runTool('ip', [`-${family}`, 'rule', 'show', ...SHOW_RULE]);
  if (listed.trim() === '') await runTool('ip', [`-${family}`, 'rule', 'add', ...POLICY_RULE]);
}

async function jumpTo(backend: Backend, family: Family, chain: Chain): Promise<void> {
  if (chain.from === undefined) return;
  const program = iptables(backend, family);
  const jump = [chain.from, '-j', chain.name];
  const present = await tryTool(program, ['-w', '-t', chain.table, '-C', ...jump]);
  if (present.status !== 0) await runTool(program, ['-w', '-t', chain.table, '-I', ...jump]);
}
