/** Results as data: docs/schema/test.v1.json. */
import type { Place } from '../../sources/index.ts';
import { type AnswerJson, answerJson, type NearRuleJson, nearJson } from '../can/index.ts';
import { type CaseResult, type Counts, countsOf, outcomeText, type Packets, type Report } from './result.ts';

/** Names the form of what `sluice test` prints as JSON. */
export const TEST_SCHEMA = 'sluice.dev/test/v1';

/** What is printed. */
export interface TestJson {
  readonly schema: typeof TEST_SCHEMA;
  /** What the verdicts come from. */
  readonly by: 'engine' | 'packets';
  readonly lab?: string;
  readonly counts: Counts;
  readonly cases: readonly CaseJson[];
  /** What could not be read, and so is not known; absent where there is nothing. */
  readonly notes?: readonly string[];
}

/** One case. */
export interface CaseJson extends Place {
  /** From 1, in the order of the files. */
  readonly number: number;
  readonly name?: string;
  readonly from: string;
  /** As it was written, with the port. */
  readonly to: string;
  /** The number that was asked about. */
  readonly port?: number;
  readonly protocol?: string;
  readonly expect: 'allow' | 'deny';
  readonly result: CaseResult['result'];
  readonly got?: 'allow' | 'deny' | 'partly';
  readonly message: string;
  /** The engine's answer, as `sluice can` gives it. */
  readonly answer?: AnswerJson;
  readonly near?: readonly NearRuleJson[];
  readonly packets?: Packets;
  /** The code of an error. */
  readonly code?: string;
}

/** Plain data for `JSON.stringify`. */
export function testJson({ results, lab, notes }: Report): TestJson {
  return {
    schema: TEST_SCHEMA,
    by: lab === undefined ? 'engine' : 'packets',
    ...(lab === undefined ? {} : { lab }),
    counts: countsOf(results),
    cases: results.map(caseJson),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

function caseJson(result: CaseResult, at: number): CaseJson {
  const { place, name, question, to, expect } = result.case;
  const common = {
    number: at + 1,
    ...(name === undefined ? {} : { name }),
    from: question.from,
    to,
    expect,
    result: result.result,
    message: outcomeText(result),
    ...place,
  };
  if (result.result === 'error') return { ...common, code: result.error.code };
  const { answer, near, packets, got } = result;
  return {
    ...common,
    got,
    port: answer.askedPort,
    protocol: answer.protocol,
    answer: answerJson(answer),
    ...(near.length === 0 ? {} : { near: nearJson(near) }),
    ...(packets === undefined ? {} : { packets }),
  };
}
