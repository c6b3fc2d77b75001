/** Checks the redirect that is in this network namespace's kernel, rule by rule. */
import { SluiceError } from '../../common/errors.ts';
import type { Family } from '../../native/index.ts';
import { GATE_TABLE, isGateInForce } from '../gate/kernel/index.ts';
import { planGuard, verifyGuard } from '../guard/index.ts';
import { areAbsent, isSwitchedOn, kernelFamilies, tryTool } from '../kernel/index.ts';
import { limitsOf, type Redirect } from './applied_redirect.ts';
import { hasRedirect, removeChains } from './own_chains.ts';
import { ALL_PROXY, type Paths, pathsText, possiblePaths, readPaths, samePaths } from './paths.ts';
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
  SHOW_ROUTE,
  SHOW_RULE,
} from './rules.ts';
import { type SavedRules, savedRules } from './saved_rules.ts';
import { type Backend, hasNoLegacyTables, iptables } from './tools.ts';

/**
 * Checks that every rule of ours is in force, in both families.
 * @param paths those that the rules have to have; absent: any that the settings can come to. Where the redirect was applied without
 * a gate the proxy has all ports, whether there is a gate now or not
 * @throws SluiceError `REDIRECT_INCOMPLETE` naming the first thing that is missing.
 */
export async function verifyRedirect(config: RedirectConfig, paths?: Paths): Promise<Redirect> {
  const families = kernelFamilies();
  const guard = await planGuard(config.nodeIPs);
  const nodeIPs = guard.nodes.map(({ address }) => address);
  const { backend, saved: saved4 } = await backendInForce();
  const inForce = pathsOf(config, saved4);
  if (paths !== undefined && !samePaths(paths, inForce)) throw otherPaths(inForce, paths);
  const plan = planFor(config, nodeIPs, inForce);
  const gate = await isGateInForce().then(
    (present) => (present ? 'in force' : 'missing'),
    (error: Error) => error.message,
  );
  const limits: string[] = [];
  for (const family of families) {
    const saved = family === 4 ? saved4 : await savedRules(backend, family);
    const scope = await scopeInForce(backend, family, saved);
    for (const chain of chains(family, plan, scope))
      if (!saved.holds(chain)) await verifyChain(backend, family, chain);
    if (isSwitchedOn(family)) await verifyRoute(family);
    limits.push(...limitsOf(family, scope));
  }
  if (gate === 'missing') throw incomplete(`nft: the table ${GATE_TABLE} has no hook`);
  await verifyGuard(guard);
  return { backend, because: 'its rules are in force', families, nodeIPs, paths: inForce, gate, limits };
}

/**
 * The paths that the rules of this pod have. The redirect step has decided them; nobody decides them again.
 * @throws SluiceError `REDIRECT_INCOMPLETE` where there are no rules, or none that the settings can come to; `REDIRECT_*` or `TOOL_*` where
 * they cannot be read: nothing may be taken for granted then
 */
export async function pathsInForce(config: RedirectConfig): Promise<Paths> {
  return isAsked(config) ? pathsOf(config, (await backendInForce()).saved) : ALL_PROXY;
}

/**
 * The paths that who puts the redirect in again has to keep, as connections of these paths may live on.
 * @returns undefined where nothing has been decided: no back end has chains of ours, and what each has is known
 * @throws SluiceError as `pathsInForce`: what cannot be read is not to be decided again
 */
export async function pathsToKeep(config: RedirectConfig): Promise<Paths | undefined> {
  if (!isAsked(config)) return ALL_PROXY;
  let failure: unknown;
  for (const backend of ['nft', 'legacy'] as const) {
    if (await isSurelyEmpty(backend)) continue;
    const saved = await savedRules(backend, 4);
    if (hasRedirect(saved)) return pathsOf(config, saved);
    failure ??= saved.failure;
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** Whether the kernel itself says that a back end has no redirect of ours. No tool is started. */
async function isSurelyEmpty(backend: Backend): Promise<boolean> {
  if (backend === 'legacy') return await hasNoLegacyTables();
  return await areAbsent([{ family: 'ip', table: 'mangle', chain: 'SLUICE_IN' }]);
}

/** Whether the settings can come to other paths than the proxy. */
function isAsked(config: RedirectConfig): boolean {
  return possiblePaths(config).some((one) => !samePaths(one, ALL_PROXY));
}

function pathsOf(config: RedirectConfig, saved: SavedRules): Paths {
  const possible = possiblePaths(config);
  if (possible.every((one) => samePaths(one, ALL_PROXY))) return ALL_PROXY; // the check of the rules would show others
  const found = readPaths(saved.listed('mangle'));
  if (possible.some((one) => samePaths(one, found))) return found;
  const asked = [...new Set(possible.map(pathsText))].join(', or for ');
  throw incomplete(
    `the rules are for the path ${pathsText(found)}, and SLUICE_PATH and SLUICE_EXCLUDED_PORTS ask for ${asked}`,
  );
}

/** The scope that the chains were made for, unless this kernel can do more: then something is missing. */
async function scopeInForce(backend: Backend, family: Family, saved: SavedRules): Promise<RedirectScope> {
  const has = (chain: string): boolean => saved.has('mangle', chain);
  const scope = has('SLUICE_MOVED') ? 'all' : has('SLUICE_SYN') ? 'listeners' : 'plain';
  return scope === 'all' ? scope : await widestScope(backend, family);
}

/** What this kernel can do, tried in chains that nothing leads to. */
async function widestScope(backend: Backend, family: Family): Promise<RedirectScope> {
  const probed = `SLUICE_TRY_${process.pid}_`;
  const plan: RedirectPlan = {
    inboundPort: 1,
    adminPort: 1,
    canaryPort: 1,
    paths: ALL_PROXY,
    nodeIPs: [],
    nodePorts: undefined,
  };
  for (const scope of REDIRECT_SCOPES) {
    const list = chains(family, plan, scope).map(
      (chain): Chain => ({
        ...chain,
        name: chain.name.replace('SLUICE_', probed),
        rules: chain.rules.map((rule) => rule.replace('SLUICE_', probed)),
      }),
    );
    const text = restoreText(list);
    const result = await tryTool(iptables(backend, family, '-restore'), ['-w', '--noflush'], text);
    await removeChains(backend, family, list);
    if (result.status === 0) return scope;
  }
  return 'plain';
}

/** Asks for each rule: names the first that is missing. */
async function verifyChain(backend: Backend, family: Family, chain: Chain): Promise<void> {
  const program = iptables(backend, family);
  const listed = await tryTool(program, ['-w', '-t', chain.table, '-S', chain.name]);
  const count = listed.stdout.match(/^-A /gm)?.length ?? 0;
  const expected = [
    ...(chain.from === undefined ? [] : [[chain.from, '-j', chain.name]]),
    ...chain.rules.map((rule) => [chain.name, ...rule.split(' ')]),
  ];
  for (const rule of expected) {
    const found = await tryTool(program, ['-w', '-t', chain.table, '-C', ...rule]);
    if (found.status !== 0) throw incomplete(`${program}: no rule '${rule.join(' ')}'`);
  }
  if (count !== chain.rules.length)
    throw incomplete(`${program}: ${chain.name} has ${count} rules, not ${chain.rules.length}`);
}

async function verifyRoute(family: Family): Promise<void> {
  // Both at once. Where there is no such routing table, the second fails.
  const questions = [`rule show ${SHOW_RULE.join(' ')}`, `route show ${SHOW_ROUTE.join(' ')}`];
  const { stdout } = await tryTool('ip', [`-${family}`, '-force', '-batch', '-'], questions.join('\n'));
  if (!stdout.includes(' fwmark '))
    throw incomplete(`ip -${family} rule: '${POLICY_RULE.join(' ')}' is missing`);
  if (!stdout.includes('local default'))
    throw incomplete(`ip -${family} route: '${LOCAL_ROUTE.join(' ')}' is missing`);
}

/** The back end with our rules, and what it has for IPv4. */
async function backendInForce(): Promise<{ readonly backend: Backend; readonly saved: SavedRules }> {
  const problems: string[] = [];
  for (const backend of ['nft', 'legacy'] as const) {
    const saved = await savedRules(backend, 4);
    if (hasRedirect(saved)) return { backend, saved };
    if (saved.problem !== undefined) problems.push(saved.problem);
  }
  const unseen = problems.length === 0 ? '' : ` (${problems.join('; ')})`;
  throw incomplete(`no back end of iptables has the chain SLUICE_IN${unseen}`);
}

/** Nothing else of the sidecar can change its ways while it runs: what it does not follow it could not end. */
function otherPaths(inForce: Paths, followed: Paths): SluiceError {
  return new SluiceError(
    'REDIRECT_INCOMPLETE',
    `the rules are for the path ${pathsText(inForce)} now, and this sidecar has begun with ${pathsText(followed)}: restart the sidecar, which then follows what the rules say, or run 'sidecar/main.ts redirect apply' with the settings of before`,
  );
}

function incomplete(what: string): SluiceError {
  return new SluiceError(
    'REDIRECT_INCOMPLETE',
    `${what}: run 'sidecar/main.ts redirect apply' in this network namespace`,
  );
}
