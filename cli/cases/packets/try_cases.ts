/** Tries judged cases with real packets in a lab. */
import { SluiceError } from '../../../common/errors.ts';
import { checkOwnLab, checkRoot, Lab, type Topology } from '../../../lab/index.ts';
import { verdictOf } from '../../can/index.ts';
import type { ReadContext } from '../../input/index.ts';
import type { CaseAnswerer } from '../judge.ts';
import type { CaseResult, Packets } from '../result.ts';
import { type Plan, planCase } from './plan.ts';
import { type ProbeOutcome, runProbes } from './run_probes.ts';

/** Connections of one command. If all are denied without a reset, they take some five minutes. */
const MAX_PROBES = 3_000;

/** Longest that sidecars may take to put their tables in force before packets are sent, ms. */
const ENFORCED_MS = 10_000;

/**
 * @param results by the engine
 * @returns the same by packets; the engine has to agree
 * @throws SluiceError `LAB_NOT_ROOT`, `LAB_NOT_FOUND`, `LAB_ELSEWHERE`, `LAB_NOT_ENFORCED`, `INPUT_TOO_LARGE`
 */
export async function tryCases(
  results: readonly CaseResult[],
  name: string,
  answerer: CaseAnswerer,
  context: ReadContext,
): Promise<readonly CaseResult[]> {
  checkRoot();
  checkOwnLab(name);
  const lab = Lab.open(name);
  const { topology } = lab;
  context.progress.say(`waiting until every sidecar of lab ${name} enforces its table`);
  await lab.waitEnforced(ENFORCED_MS);
  const planned = results.map((result) => withPlan(result, topology, answerer));
  const probes = planned.flatMap(({ plan }) => plan?.probes ?? []);
  if (probes.length > MAX_PROBES)
    throw new SluiceError(
      'INPUT_TOO_LARGE',
      `these cases come to ${probes.length} connections, and one command tries at most ${MAX_PROBES}: test one file at a time`,
    );
  const outcomes = await runProbes(lab, probes, context);
  let next = 0;
  return planned.map(({ result, plan }) => {
    if (plan === undefined || result.result === 'error') return result;
    const first = next;
    next += plan.probes.length;
    return settled(result, plan, outcomes.slice(first, next));
  });
}

/** A case, and how it is tried. One that is not judged is not tried. */
interface Planned {
  readonly result: CaseResult;
  readonly plan?: Plan;
}

function withPlan(result: CaseResult, topology: Topology, answerer: CaseAnswerer): Planned {
  if (result.result === 'error') return { result };
  const { case: one, answer } = result;
  try {
    return {
      result,
      plan: planCase(answer, one.question, topology, (question) => answerer.of(one).answer(question)),
    };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { result: { case: one, result: 'error', error: { code: error.code, message: error.message } } };
  }
}

/** Whether the case is as expected: by packets, by the engine about the same connections, and about all that the case means. */
function settled(
  judged: Exclude<CaseResult, { readonly result: 'error' }>,
  { engine }: Plan,
  outcomes: readonly ProbeOutcome[],
): CaseResult {
  const { case: one } = judged;
  const problem = outcomes.find((outcome) => 'problem' in outcome);
  if (problem !== undefined)
    return { case: one, result: 'error', error: { code: 'CASE_NOT_PROBED', message: problem.problem } };
  const probes = outcomes.filter((outcome) => 'verdict' in outcome);
  const packets: Packets = { verdict: verdictOf(probes), engine, probes };
  const agree = packets.verdict === engine;
  const got = agree && packets.verdict === one.expect ? judged.answer.verdict : packets.verdict;
  return { ...judged, result: agree && got === one.expect ? 'pass' : 'fail', got, packets };
}
