/** What came of a case. */
import type { ErrorCode } from '../../common/errors.ts';
import type { Answer, NearRule } from '../can/index.ts';
import { type Case, caseTitle } from './case.ts';
import type { Verdict } from './verdict.ts';

/** A connection that was tried. */
export interface Probed {
  /** Where it was opened: `shop/web`, `node/n1`, `outside`. */
  readonly from: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly verdict: 'allow' | 'deny';
  /** How it was denied: `ECONNREFUSED`, `ETIMEDOUT`. */
  readonly error?: string;
  /** Of a connection; of a datagram it is not measured. */
  readonly ms?: number;
}

/** What packets say of a case. */
export interface Packets {
  readonly verdict: Verdict;
  /** What the engine says of these very connections: of a block it has an opinion about all addresses, and a lab tries a few. */
  readonly engine: Verdict;
  readonly probes: readonly Probed[];
}

/** What came of a case. */
export type CaseResult = {
  readonly case: Case;
} & (
  | (Judged & { readonly result: 'pass' | 'fail' })
  | {
      readonly result: 'error';
      readonly error: { readonly code: ErrorCode; readonly message: string };
    }
);

/** A case with a verdict. */
export interface Judged {
  /** The verdict that the case stands or falls with. */
  readonly got: Verdict;
  /** The engine's. */
  readonly answer: Answer;
  /** Rules that came near, of a denial that was not expected. */
  readonly near: readonly NearRule[];
  readonly packets?: Packets;
}

/** `deploy/web -> sts/db:pg: wanted deny, got allow`, in short what the case came to. */
export function outcomeText(result: CaseResult): string {
  if (result.result === 'error') return `not judged: ${result.error.message}`;
  const { expect } = result.case;
  const { got, packets } = result;
  if (packets !== undefined && packets.verdict !== packets.engine)
    return `wanted ${expect}, packets got ${packets.verdict}, and the engine says ${packets.engine}`;
  return got === expect ? expect : `wanted ${expect}, got ${got}`;
}

/** The case and what it came to, as one line. */
export function resultTitle(result: CaseResult): string {
  return `${caseTitle(result.case)} ${outcomeText(result)}`;
}

/** What is reported. */
export interface Report {
  readonly results: readonly CaseResult[];
  /** The lab that packets were sent in. */
  readonly lab?: string;
  /** What could not be read, and so is not known. */
  readonly notes: readonly string[];
}

/** Results by kind. */
export interface Counts {
  readonly cases: number;
  readonly passed: number;
  readonly failed: number;
  /** Not judged. */
  readonly errors: number;
}

/** Counts results. */
export function countsOf(results: readonly CaseResult[]): Counts {
  const count = (kind: CaseResult['result']) => results.filter(({ result }) => result === kind).length;
  return { cases: results.length, passed: count('pass'), failed: count('fail'), errors: count('error') };
}
