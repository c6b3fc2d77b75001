/** Judges cases by the engine. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SluiceError } from '../../common/errors.ts';
import { type Answerer, createAnswerer, createNearRules } from '../can/index.ts';
import type { Input, ReadContext } from '../input/index.ts';
import type { Case } from './case.ts';
import type { CaseResult } from './result.ts';

/** Cases that fail of which rules that came near are looked for: each takes a look at all policies. */
const MAX_EXPLAINED = 50;

/** Cases above which errors offer no like names: each of those takes a look at every name. */
const MAX_SUGGESTED = 200;

/** Cases judged in one turn of the event loop, between which a time limit counts and progress is shown. */
const CASES_A_TURN = 20;

/** Answers the questions of cases: names without a namespace are in the case's own. */
export interface CaseAnswerer {
  of(one: Case): Answerer;
}

/** What depends on the objects only is worked out once for each namespace that cases name. */
export function createCaseAnswerer(
  { manifests, noun, unlisted, namespace: fallback }: Input,
  cases: number,
): CaseAnswerer {
  const byNamespace = new Map<string | undefined, Answerer>();
  return {
    of({ namespace = fallback }) {
      const known = byNamespace.get(namespace);
      if (known !== undefined) return known;
      const made = createAnswerer(manifests, {
        ...(namespace === undefined ? {} : { namespace }),
        noun,
        unlisted,
        suggest: cases <= MAX_SUGGESTED,
      });
      byNamespace.set(namespace, made);
      return made;
    },
  };
}

/** @throws the reason of the signal */
export async function judgeCases(
  cases: readonly Case[],
  input: Input,
  answerer: CaseAnswerer,
  { progress, signal }: ReadContext,
): Promise<readonly CaseResult[]> {
  const nearRules = createNearRules(input.manifests, input.places);
  let explained = 0;
  const judge = (one: Case): CaseResult => {
    try {
      const answer = answerer.of(one).answer(one.question);
      const isExpected = answer.verdict === one.expect;
      const explains = !isExpected && explained < MAX_EXPLAINED;
      if (explains) explained += 1;
      const near = explains ? nearRules.of(answer) : [];
      return { case: one, result: isExpected ? 'pass' : 'fail', got: answer.verdict, answer, near };
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      return { case: one, result: 'error', error: { code: error.code, message: error.message } };
    }
  };
  const results: CaseResult[] = [];
  for (const one of cases) {
    results.push(judge(one));
    if (results.length % CASES_A_TURN !== 0) continue;
    progress.say(`judged ${results.length} of ${cases.length} cases`);
    await nextTurn();
    signal.throwIfAborted();
  }
  return results;
}
