/** Puts the redirect into this network namespace's kernel, checks it, takes it out again. Each may be run again. */
import { readFile, writeFile } from 'node:fs/promises';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { Family } from '../../native/index.ts';
import { closeGate, GATE_TABLE, isGateInForce, removeGate } from '../gate/kernel/index.ts';
import type { NodeAddress } from '../guard/index.ts';
import {
  bindGuard,
  type GuardProblems,
  installGuard,
  planGuard,
  removeGuard,
  verifyGuard,
} from '../guard/index.ts';
import { APP_LEG_PORTS, isSwitchedOn, kernelFamilies, tryTool } from '../kernel/index.ts';
import type { RedirectConfig } from './redirect_config.ts';
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
import { type Backend, chooseBackend, iptables, runTool, toolError } from './tools.ts';

/** tcp_mtu_probing of tcp(7): 0 is never, 1 when packets are lost time and again. */
const MTU_PROBING = '/proc/sys/net/ipv4/tcp_mtu_probing';

/** What `closeGate` says where there is a gate. */
const GATE_THERE: readonly string[] = ['closed', 'kept'];

/** What was put in force. */
export interface Redirect {
  readonly backend: Backend;
  readonly because: string;
  readonly families: readonly Family[];
  /** The pod's own node, default gateways included. */
  readonly nodeIPs: readonly string[];
  /** `closed` until the sidecar opens it; `kept` where one was there already; else why there is none. */
  readonly gate: string;
  /** How each address of the node is known, and what of the guard is missing. */
  readonly guard?: { readonly nodes: readonly NodeAddress[]; readonly problems: GuardProblems };
  /** What this kernel cannot do, and what follows from it; empty where it can do all. */
  readonly limits: readonly string[];
  /** `on`, or why TCP does not find out by itself about paths that drop large packets; absent where nothing was applied. */
  readonly mtuProbing?: string;
}

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
  for (const family of families) {
    const redirect = planFor(config, nodeIPs, GATE_THERE.includes(gate));
    if (isSwitchedOn(family)) await routeMarkedLocally(family);
    const scope = await restoreAsMuchAsPossible(backend, family, redirect);
    for (const chain of chains(family, redirect, scope)) await jumpTo(backend, family, chain);
    limits.push(...limitsOf(family, scope));
  }
  const mtuProbing = await probePathMtu();
  const { nodes } = problems.packets === undefined ? await bindGuard(plan) : plan;
  return { backend, because, families, nodeIPs, gate, limits, guard: { nodes, problems }, mtuProbing };
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

/** Where the kernel cannot do all. */
function limitsOf(family: Family, scope: RedirectScope): readonly string[] {
  const ports = `IPv${family}: clients that use source ports from ${APP_LEG_PORTS.first} to ${APP_LEG_PORTS.last} can lose connections: the kernel needs xt_CT with NF_CONNTRACK_ZONES, xt_REDIRECT and nat`;
  const open = `IPv${family}: a port on which nobody listens accepts connections and resets them: the kernel needs xt_socket`;
  switch (scope) {
    case 'all':
      return [];
    case 'listeners':
      return [ports];
    case 'plain':
      return [ports, open];
    default:
      return scope satisfies never;
  }
}

/**
 * Checks that every rule of ours is in force, in both families. Excluded ports may be left to the proxy all the same, which is
 * stricter: so it is where the redirect was applied when there was no gate, whether there is one now or not.
 * @throws SluiceError `REDIRECT_INCOMPLETE` naming the first thing that is missing.
 */
export async function verifyRedirect(config: RedirectConfig): Promise<Redirect> {
  const families = kernelFamilies();
  const nodeIPs = await exemptAddresses(config);
  const backend = await backendInForce();
  const gate = await isGateInForce().then(
    (present) => (present ? 'in force' : 'missing'),
    (error: Error) => error.message,
  );
  const limits: string[] = [];
  for (const family of families) {
    const scope = await scopeInForce(backend, family);
    const strict = chains(family, planFor(config, nodeIPs, false), scope);
    const usual = chains(family, planFor(config, nodeIPs, true), scope);
    for (const [index, chain] of usual.entries()) await verifyChain(backend, family, chain, strict[index]);
    if (isSwitchedOn(family)) await verifyRoute(family);
    limits.push(...limitsOf(family, scope));
  }
  if (gate === 'missing') throw incomplete(`nft: the table ${GATE_TABLE} has no hook`);
  await verifyGuard();
  return { backend, because: 'its rules are in force', families, nodeIPs, gate, limits };
}

/** The scope that the chains were made for, unless this kernel can do more: then something is missing. */
async function scopeInForce(backend: Backend, family: Family): Promise<RedirectScope> {
  const listed = await tryTool(iptables(backend, family), ['-w', '-t', 'mangle', '-S']);
  const has = (chain: string): boolean => listed.stdout.includes(`-N ${chain}\n`);
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
    excludedPorts: [],
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

/** Without a gate nobody would judge what bypasses the proxy: then nothing does. */
function planFor(config: RedirectConfig, nodeIPs: readonly string[], hasGate: boolean): RedirectPlan {
  return { ...config, nodeIPs, excludedPorts: hasGate ? config.excludedPorts : [] };
}

/** Removes every rule of ours from both back ends. What is not there is no error. */
export async function removeRedirect(config: RedirectConfig): Promise<void> {
  await removeGate().catch(() => {}); // without nft there is none
  await removeGuard().catch(() => {});
  const none: RedirectPlan = { ...config, nodeIPs: [] };
  for (const family of kernelFamilies()) {
    for (const backend of ['nft', 'legacy'] as const) {
      if (!(await chainsPresent(backend, family))) continue;
      await removeChains(backend, family, chains(family, none));
    }
    await tryTool('ip', [`-${family}`, 'rule', 'del', ...POLICY_RULE]);
    await tryTool('ip', [`-${family}`, 'route', 'del', ...LOCAL_ROUTE]);
  }
}

/** Takes chains out, and what leads to them. What is not there is no error. */
async function removeChains(backend: Backend, family: Family, list: readonly Chain[]): Promise<void> {
  const program = iptables(backend, family);
  for (const { table, name, from } of list) {
    if (from !== undefined) await tryTool(program, ['-w', '-t', table, '-D', from, '-j', name]);
    await tryTool(program, ['-w', '-t', table, '-F', name]);
  }
  for (const { table, name } of list.toReversed()) await tryTool(program, ['-w', '-t', table, '-X', name]);
}

/** The pod's own node: as configured, and the default gateways that the redirect step found. */
async function exemptAddresses(config: RedirectConfig): Promise<readonly string[]> {
  return (await planGuard(config.nodeIPs)).nodes.map(({ address }) => address);
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

/** @param or what may be in force instead; told by the number of rules */
async function verifyChain(backend: Backend, family: Family, usual: Chain, or = usual): Promise<void> {
  const program = iptables(backend, family);
  const listed = await tryTool(program, ['-w', '-t', usual.table, '-S', usual.name]);
  const count = listed.stdout.match(/^-A /gm)?.length ?? 0;
  const chain = count === or.rules.length ? or : usual;
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
  const rule = await runTool('ip', [`-${family}`, 'rule', 'show', ...SHOW_RULE]);
  if (rule.trim() === '') throw incomplete(`ip -${family} rule: '${POLICY_RULE.join(' ')}' is missing`);
  const route = await tryTool('ip', [`-${family}`, 'route', 'show', ...SHOW_ROUTE]);
  if (!route.stdout.includes('local default'))
    throw incomplete(`ip -${family} route: '${LOCAL_ROUTE.join(' ')}' is missing`);
}

async function backendInForce(): Promise<Backend> {
  for (const backend of ['nft', 'legacy'] as const) if (await chainsPresent(backend, 4)) return backend;
  throw incomplete('no back end of iptables has the chain SLUICE_IN');
}

async function chainsPresent(backend: Backend, family: Family): Promise<boolean> {
  // Saving reads what is there; listing would make the legacy back end create its tables.
  const saved = await tryTool(
    iptables(backend, family, '-save'),
    backend === 'nft' ? ['-t', 'mangle'] : [],
  ).catch(() => undefined);
  return saved?.stdout.includes(':SLUICE_IN ') ?? false;
}

function incomplete(what: string): SluiceError {
  return new SluiceError(
    'REDIRECT_INCOMPLETE',
    `${what}: run 'sidecar/main.ts redirect apply' in this network namespace`,
  );
}
