/**
 * What the kernel of this machine lacks, before a pod fails there: the rules of a pod are put in force in a network namespace of
 * their own, which ends with the process in it, and a TCP connection is ended, as the direct path needs.
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

/** What is tried; tests have others. */
export interface MachineTrials {
  /** Puts the rules in force somewhere. Resolves to what was said of them. */
  rules(): Promise<RulesOutcome>;
  /** Ends a connection. Resolves to why that cannot be done; undefined: it can. Needs NET_ADMIN. */
  ending(): Promise<string | undefined>;
}

/** How the redirect step ended. */
export interface RulesOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Tries both. */
export async function checkMachine(trials: MachineTrials = REAL_TRIALS): Promise<Report> {
  return {
    findings: [...(await checkRules(trials)), ...(await checkEnding(trials))],
    notLookedAt: ['a cluster: sluice check', 'manifests: sluice check -f'],
  };
}

async function checkRules({ rules }: MachineTrials): Promise<readonly Finding[]> {
  const hint = 'Run this as root, on a node; where it fails then, no injected pod starts';
  let outcome: RulesOutcome;
  try {
    outcome = await rules();
  } catch (cause) {
    return [
      warning('CK105', SUBJECT, `the rules of a pod could not be tried: ${firstLineOf(cause)}. ${hint}`),
    ];
  }
  if (outcome.status !== 0) {
    const said = firstLineOf(outcome.stderr.trim().replace(/^sluice-sidecar: /, ''));
    return [error('CK105', SUBJECT, `the rules of a pod cannot be put in force: ${said}. ${hint}`)];
  }
  const { backend, gate, guard } = inForce(outcome.stdout);
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
  ];
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

async function checkEnding({ ending }: MachineTrials): Promise<readonly Finding[]> {
  const found = await ending().catch((cause: unknown) => firstLineOf(cause));
  return found === undefined
    ? [
        ok(
          SUBJECT,
          `its kernel ends TCP connections, as the direct path needs; a pod with ${PATH_ANNOTATION} tries the rest when it starts`,
        ),
      ]
    : [
        warning(
          'CK106',
          SUBJECT,
          `to end a TCP connection, as the direct path needs, was tried without success: ${found}. Run this as root, on a node; where it fails then, pods with ${PATH_ANNOTATION}=auto take the proxy, and those with direct do not start`,
        ),
      ];
}

/** The redirect step takes half a second; kernels that load modules take longer. */
const RULES_MS = 30_000;

const REAL_TRIALS: MachineTrials = {
  async rules() {
    const sidecar = fileURLToPath(new URL('../../sidecar/main.ts', import.meta.url));
    if (!existsSync(sidecar)) throw new Error('this copy of the command has no sidecar: use a clone');
    // Nothing of this machine's settings: what a pod has by default is tried.
    const env = { PATH: process.env.PATH };
    return await runTool(['unshare', '--net', process.execPath, sidecar, 'redirect', 'apply'], {
      timeMs: RULES_MS,
      env,
    });
  },
  // The addon is loaded only here: other checks run where it cannot be.
  ending: async () => await (await import('../../sidecar/kernel/index.ts')).endingProblem(),
};
