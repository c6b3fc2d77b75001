/** Puts the gate in place closed at the redirect step, looks whether it is there, and takes it out. */
import { inSlices } from '../../../common/in_slices.ts';
import { findChain, listNft, runNft } from '../../kernel/index.ts';
import { closedPlan, type GatePlan, socketElement } from '../plan/index.ts';
import { NONE_COMMON } from './common_access.ts';
import { lacking, tryGateKernel, WHOLE_KERNEL } from './gate_kernel.ts';
import { GATE_TABLE, GATE_TABLE_NAME } from './names.ts';
import { REMOVED_RULESET, wholeRuleset } from './ruleset.ts';
import type { GateSettings } from './settings.ts';

/** The base chains, and the chain that the last rule of each jumps to. */
const HOOKS = { syns: 'in_subject', ingress: 'in_subject', egress: 'out_subject' } as const;

/**
 * Puts the gate in place closed, unless one is there already: then the kernel is enforcing the last table.
 * @returns which of the two
 */
export async function closeGate(
  settings: GateSettings,
  nodeIPs: readonly string[],
): Promise<'closed' | 'kept'> {
  if ((await findRules()) ?? (await isGateInForce())) return 'kept';
  await putWhole(closedPlan(nodeIPs, injectorElements(settings)), settings);
  return 'closed';
}

/** The closed gate as nft(8) text, for a kernel that has all that it needs: for who puts it in place together with something else. */
export async function closedRuleset(settings: GateSettings, nodeIPs: readonly string[]): Promise<string> {
  return await inSlices(wholeRuleset(closedPlan(nodeIPs, injectorElements(settings)), settings));
}

/** Where the injector can be reached: the Service's address, and what the table knows; nowhere where tables do not come over the network. */
export function injectorElements(
  { injector }: GateSettings,
  more: readonly string[] = [],
): readonly string[] {
  return injector === undefined ? [] : [...new Set([socketElement(injector), ...more])];
}

/**
 * Puts the whole table in, in place of what is there; where the kernel lacks something what is left of it.
 * @param common accesses whose pods are in sets
 * @returns what the kernel lacks, for people
 */
export async function putWhole(
  plan: GatePlan,
  settings: GateSettings,
  common = NONE_COMMON,
): Promise<readonly string[]> {
  try {
    await runNft(await inSlices(wholeRuleset(plan, settings, WHOLE_KERNEL, common)));
    return [];
  } catch (error) {
    const kernel = await tryGateKernel();
    if (kernel.matchesSockets && kernel.limitsReports) throw error; // something else is wrong
    await runNft(await inSlices(wholeRuleset(plan, settings, kernel, common)));
    return lacking(kernel);
  }
}

/** Takes the gate out. */
export async function removeGate(): Promise<void> {
  await runNft(REMOVED_RULESET);
}

/**
 * Whether the gate's hooks are in the kernel, with the rule at the end of each that asks the table. Where they are not, nft is
 * asked, which says why.
 */
export async function isGateInForce(): Promise<boolean> {
  if (await findRules()) return true;
  for (const [hook, subject] of Object.entries(HOOKS)) {
    const listed = (await listNft(`chain ${GATE_TABLE} ${hook}`)) ?? '';
    if (!listed.includes(' hook ') || !listed.includes(`jump ${subject}`)) return false;
  }
  return true;
}

/**
 * As `isGateInForce`, but it asks by netlink, because nft may be what fails.
 * @param unanswered what counts when the kernel does not answer
 */
export async function areRulesThere(unanswered = true): Promise<boolean> {
  return (await findRules()) ?? unanswered;
}

/** The same; undefined: the kernel does not answer. */
async function findRules(): Promise<boolean | undefined> {
  try {
    for (const [hook, subject] of Object.entries(HOOKS)) {
      const asked = await findChain(GATE_TABLE_NAME, hook);
      const asks = asked?.hooked === true && asked.rules.some((rule) => rule.leadsTo(subject));
      if (!asks || (await findChain(GATE_TABLE_NAME, subject))?.rules.length === 0) return false;
    }
    return true;
  } catch {
    return undefined;
  }
}
