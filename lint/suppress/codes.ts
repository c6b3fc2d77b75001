/** The words of a suppression: codes, and why. */

/** What a suppression says. */
export interface SuppressionWords {
  readonly codes: readonly string[];
  /** Absent: nobody said why. */
  readonly reason?: string;
}

const CODES = /^\s*(NP\d{3}(?:[\s,]+NP\d{3})*)\b[\s:,-]*(.*)$/is;

/** `NP006,NP019 the scraper needs it`; undefined where it names no code. */
export function readSuppression(text: string): SuppressionWords | undefined {
  const [, codes, reason = ''] = CODES.exec(text) ?? [];
  if (codes === undefined) return undefined;
  const why = reason.trim();
  return {
    codes: codes.toUpperCase().split(/[\s,]+/),
    ...(why === '' ? {} : { reason: why }),
  };
}
