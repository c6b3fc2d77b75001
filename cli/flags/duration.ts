/** Times as people write them on a command line. */
import { SluiceError } from '../../common/errors.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Node's timers end there: 2^31 - 1. */
const MAX_MS = 2_147_483_647;

/**
 * `30s`, `1m30s`, `500ms`, or a number of seconds, as ms.
 * @param flag for the message
 * @throws SluiceError `USAGE`
 */
export function durationMs(text: string, flag: string): number {
  const whole = /^\d+(\.\d+)?$/.test(text) ? `${text}s` : text;
  const parts = [...whole.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const ms = parts.reduce(
    (sum, [, number = '', unit = '']) => sum + Number(number) * (UNITS_MS[unit] ?? 0),
    0,
  );
  if (parts.map(([part]) => part).join('') === whole && ms > 0 && ms <= MAX_MS) return Math.ceil(ms);
  throw new SluiceError('USAGE', `${flag} is '${text}': wants a time, such as 30s or 2m`);
}
