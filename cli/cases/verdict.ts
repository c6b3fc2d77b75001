/** The verdict of a case. */
import type { Answer } from '../can/index.ts';

/** `partly`: some backends of a Service, or some addresses, are reached and others are not. */
export type Verdict = Answer['verdict'];
