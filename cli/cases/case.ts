/** A case: two ends, a port, and what is expected of a connection between them. */

import type { Place } from '../../sources/index.ts';
import type { Question } from '../can/index.ts';

/** What may be expected. */
export const EXPECTATIONS = ['allow', 'deny'] as const;

/** One of them. */
export type Expectation = (typeof EXPECTATIONS)[number];

/** One case of a file. */
export interface Case {
  /** Where it begins. */
  readonly place: Place;
  /** What its author calls it. */
  readonly name?: string;
  /** `to` and `port` apart, however they were written. */
  readonly question: Question;
  /** As it was written, with its port: `svc/cart:grpc`. */
  readonly to: string;
  readonly expect: Expectation;
  /** Of names without one, as its file says; absent: that of `-n`. */
  readonly namespace?: string;
}

/** What people know it by: `web reads the cart: deploy/web -> svc/cart:grpc`. */
export function caseTitle({ name, question, to }: Case): string {
  const ends = `${question.from} -> ${to}`;
  return name === undefined ? ends : `${name}: ${ends}`;
}
