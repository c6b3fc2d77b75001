/** Moments as people write them on a command line: a time, or how long ago. */
import { SluiceError } from '../../common/errors.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A date, or a date and a time; without an offset it is local. Source: RFC 3339. */
const TIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * `15m`, `1h30m`, `7d` are so long before now; `2026-11-30T12:00:00Z` is itself; `now` is now.
 * @param flag for the message
 * @returns ms since 1970
 * @throws SluiceError `USAGE`
 */
export function momentMs(text: string, flag: string, nowMs: number): number {
  if (text === 'now') return nowMs;
  const parts = [...text.matchAll(/(\d+)(ms|[smhdw])/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text) {
    const ago = parts.reduce(
      (sum, [, number = '', unit = '']) => sum + Number(number) * (UNITS_MS[unit] ?? 0),
      0,
    );
    if (ago > 0 && ago <= nowMs) return nowMs - ago;
  }
  const time = TIME.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(time) && time >= 0) return time;
  throw new SluiceError(
    'USAGE',
    `${flag} is '${text}': wants a time that has passed, such as 15m, 7d or 2026-11-30T12:00:00Z`,
  );
}
