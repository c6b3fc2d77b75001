/** What `sluice check` found. */
import type { CheckCode } from './codes.ts';

/** Whose pod a finding is about: findings that say the same of several pods of one workload become one. */
export interface FoundOf {
  /** Such as `deployment shop/web`. */
  readonly workload: string;
  /** Name of the pod; absent: of what the workload makes pods of. */
  readonly pod?: string;
}

/** One thing that was looked at. `error`: pods will be refused, or not enforced. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  /** Absent with `ok`. */
  readonly code?: CheckCode;
  /** Such as `namespace shop`, `deployment shop/web`, `cluster`. */
  readonly subject: string;
  /** With what to do, unless it is ok. */
  readonly message: string;
  /** To be pasted into a shell, one after the other. */
  readonly commands?: readonly string[];
  /** The pods of `subject`, where it is a workload with pods. */
  readonly pods?: readonly string[];
  readonly of?: FoundOf;
}

/** Of something that is as it should be. */
export const ok = (subject: string, message: string): Finding => ({ level: 'ok', subject, message });

/** Of something that does not do what was probably meant. @param commands what mends it, or says more */
export const warning = (
  code: CheckCode,
  subject: string,
  message: string,
  ...commands: readonly string[]
): Finding => found('warning', code, subject, message, commands);

/** Of something that keeps pods from running, or from being enforced. @param commands what mends it, or says more */
export const error = (
  code: CheckCode,
  subject: string,
  message: string,
  ...commands: readonly string[]
): Finding => found('error', code, subject, message, commands);

function found(
  level: 'warning' | 'error',
  code: CheckCode,
  subject: string,
  message: string,
  commands: readonly string[],
): Finding {
  return { level, code, subject, message, ...(commands.length === 0 ? {} : { commands }) };
}

/** A word of a shell's command line, quoted where it has to be: names of manifests may be anything. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
