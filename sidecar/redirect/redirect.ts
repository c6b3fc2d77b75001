/** Puts the redirect into this network namespace's kernel, and takes it out again. Each may be run again. */
import { readFile, writeFile } from 'node:fs/promises';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { Family } from '../../native/index.ts';
import { closedRuleset, closeGate, GATE_TABLE_NAME, removeGate } from '../gate/kernel/index.ts';
import {
  bindGuard,
  bindPlan,
  framesRuleset,
  type GuardPlan,
  type GuardProblems,
  guardRuleset,
  installGuard,
  type OwnAddresses,
  ownAddresses,
  planGuard,
  removeGuard,
} from '../guard/index.ts';
import { areAbsent, isSwitchedOn, kernelFamilies, runNft, tryTool, whyNotDirect } from '../kernel/index.ts';
import { type AppliedRedirect, limitsOf } from './applied_redirect.ts';
import { hasRedirect, removeChains } from './own_chains.ts';
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
} from './rules.ts';
import { savedRules } from './saved_rules.ts';
import { type Backend, chooseBackend, iptables, otherBackend, toolError } from './tools.ts';

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
  let chosen = await chooseBackend(config.iptables);
  const families = kernelFamilies();
  const plan = await bindPlan(await planGuard(config.nodeIPs));
  const nodeIPs = plan.nodes.map(({ address }) => address);
  const own = ownAddresses();
  const { problems, gate } = await close(config, plan, own); // first: from here on nothing unchecked gets in
  const limits: string[] = [];
  const { paths, notDirect } = kept === undefined ? await decidePaths(config, gate) : { paths: kept }; // with the gate, which has connection tracking look at packets
  for (const family of families) {
    const redirect = planFor(config, nodeIPs, paths);
    if (isSwitchedOn(family)) await routeMarkedLocally(family);
    const scope = await restoreAsMuchAsPossible(chosen.backend, family, redirect).catch(async (error) => {
      const other = family === 4 ? await otherBackend(config.iptables, chosen) : undefined;
      if (other === undefined) throw error;
      chosen = other;
      return await restoreAsMuchAsPossible(chosen.backend, family, redirect);
    });
    limits.push(...limitsOf(family, scope));
  }
  const mtuProbing = await probePathMtu();
  const bound = problems.packets === undefined ? await bindGuard(plan) : plan;
  const found = notDirect === undefined ? { paths } : { paths, notDirect };
  const guard = { nodes: bound.nodes, problems };
  return {
    redirect: { ...chosen, families, nodeIPs, ...found, gate, limits, guard, mtuProbing },
    guard: { plan: bound, problems, own },
  };
}

/**
 * Puts the guard in force, and the gate in place closed, unless one is there already. On a kernel that has all that they need this is
 * one transaction; elsewhere each is put in as far as it goes.
 */
async function close(
  config: RedirectConfig,
  plan: GuardPlan,
  own: OwnAddresses,
): Promise<{ readonly problems: GuardProblems; readonly gate: string }> {
  const nodeIPs = plan.nodes.map(({ address }) => address);
  const isFirst = await areAbsent([{ family: 'inet', table: GATE_TABLE_NAME, chain: 'syns' }]);
  if (isFirst) {
    const text = [guardRuleset(plan), framesRuleset(plan, own), await closedRuleset(config, nodeIPs)];
    const isDone = await runNft(text.join('')).then(
      () => true,
      () => false, // what is wrong shows when each is put in by itself
    );
    if (isDone) return { problems: {}, gate: 'closed' };
  }
  const problems = await installGuard(plan, undefined, own);
  return { problems, gate: await closed(config, nodeIPs) };
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
    const unreached = await unreachedOf(backend, family, list);
    const result = await tryTool(command, args, restoreText(list, unreached));
    if (result.status === 0) {
      if (scope !== 'all') await removeUnused(backend, family, plan, scope);
      return scope;
    }
    failure = result.stderr;
  }
  throw toolError(command, args, failure);
}

/** Those that their built-in chain does not lead to. Nothing leads to a chain that is not there. */
async function unreachedOf(
  backend: Backend,
  family: Family,
  list: readonly Chain[],
): Promise<readonly Chain[]> {
  const tables = family === 6 ? 'ip6' : 'ip';
  const places = list.map(({ table, name }) => ({ family: tables, table, chain: name }) as const);
  if (backend === 'nft' && (await areAbsent(places))) return list;
  const saved = await savedRules(backend, family);
  return list.filter((chain) => !saved.isReached(chain));
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
