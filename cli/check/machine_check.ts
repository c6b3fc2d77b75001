/**
 * What the kernel of this machine lacks, before a pod fails there: the rules of a pod are put in force in a network namespace of
 * their own, which ends with the process in it. The redirect step also tries there what the direct path needs.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { firstLineOf } from '../../common/errno.ts';
import { runTool } from '../../common/run_tool.ts';
import { fieldsOf } from '../../common/shape.ts';
import { PATH_ANNOTATION } from '../../injector/admission/index.ts';
import { error, type Finding, ok, warning } from './finding.ts';
import type { Report } from './report.ts';

const SUBJECT = 'this machine';

/** Puts the rules of a pod in force somewhere, with the path auto. Resolves to what was said of them. Tests have others. */
export type RulesTrial = () => Promise<RulesOutcome>;

/** How the redirect step ended. */
export interface RulesOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Tries all that pods need, and what those with `sluice.dev/path` do. */
export async function checkMachine(trial: RulesTrial = redirectInOwnNamespace): Promise<Report> {
  return {
    findings: await checkRules(trial),
    notLookedAt: ['a cluster: sluice check', 'manifests: sluice check -f'],
  };
}

async function checkRules(trial: RulesTrial): Promise<readonly Finding[]> {
  const hint = 'Run this as root, on a node; where it fails then, no injected pod starts';
  let outcome: RulesOutcome;
  try {
    outcome = await trial();
  } catch (cause) {
    return [
      warning('CK105', SUBJECT, `the rules of a pod could not be tried: ${firstLineOf(cause)}. ${hint}`),
    ];
  }
  if (outcome.status !== 0) {
    const said = firstLineOf(outcome.stderr.trim().replace(/^sluice-sidecar: /, ''));
    return [error('CK105', SUBJECT, `the rules of a pod cannot be put in force: ${said}. ${hint}`)];
  }
  const { backend, gate, guard, notDirect } = inForce(outcome.stdout);
  const problems = Object.entries(fieldsOf(fieldsOf(guard).problems)).map(
    ([part, problem]) => `${part}: ${String(problem)}`,
  );
  if (gate !== 'closed')
    return [error('CK105', SUBJECT, `the gate of a pod cannot be put in force: ${String(gate)}. ${hint}`)];
  if (problems.length > 0)
    return [
      error('CK105', SUBJECT, `rules of the guard cannot be put in force: ${problems.join('; ')}. ${hint}`),
    ];
  return [
    ok(
      SUBJECT,
      `its kernel takes the rules of a pod: the redirect (iptables back end ${String(backend)}), the guard and the gate`,
    ),
    pathFinding(notDirect),
  ];
}

/** @param notDirect what the kernel lacks, as the redirect step says it; undefined: nothing */
function pathFinding(notDirect: unknown): Finding {
  if (notDirect === undefined) return ok(SUBJECT, 'its kernel can do all that the direct path needs');
  const follows = `pods with ${PATH_ANNOTATION}=auto take the proxy, and those with direct do not start`;
  return warning(
    'CK106',
    SUBJECT,
    `the direct path cannot be taken here: ${String(notDirect)}. So ${follows}`,
  );
}

/** The fields of the line that says what is in force. */
function inForce(stdout: string): Readonly<Record<string, unknown>> {
  for (const line of stdout.split('\n').reverse())
    try {
      const fields = fieldsOf(JSON.parse(line));
      if ('gate' in fields) return fields;
    } catch {
      // Not a line of the log.
    }
  return {};
}

/** The redirect step takes half a second, and a trial of the direct path some more; kernels that load modules take longer. */
const RULES_MS = 30_000;

/** A new namespace has its loopback device down; pods have it up. */
const WITH_LOOPBACK = 'ip link set lo up && exec "$@"';

async function redirectInOwnNamespace(): Promise<RulesOutcome> {
  const sidecar = fileURLToPath(new URL('../../sidecar/main.ts', import.meta.url));
  if (!existsSync(sidecar)) throw new Error('this copy of the command has no sidecar: use a clone');
  // Nothing of this machine's settings: what a pod has by default is tried, and the direct path.
  const env = { PATH: process.env.PATH, SLUICE_PATH: 'auto' };
  const step = [process.execPath, sidecar, 'redirect', 'apply'];
  return await runTool(['unshare', '--net', 'sh', '-c', WITH_LOOPBACK, 'sh', ...step], {
    timeMs: RULES_MS,
    env,
  });
}
