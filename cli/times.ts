/** Times and spans for people: short, in their own time zone. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `now`, `9s ago`, `22:41` of the same day, `11-28 22:41`, `2025-11-28 22:41` of another year. */
export function whenText(ms: number, nowMs: number): string {
  const ago = nowMs - ms;
  if (ago >= 0 && ago < 2 * SECOND) return 'now';
  if (ago >= 0 && ago < MINUTE) return `${Math.floor(ago / SECOND)}s ago`;
  const [date, time] = parts(ms);
  const [today] = parts(nowMs);
  const clock = time.slice(0, 5);
  if (date === today) return clock;
  return date.slice(0, 4) === today.slice(0, 4) ? `${date.slice(5)} ${clock}` : `${date} ${clock}`;
}

/** `2026-11-28 09:12:03`. */
export function timeText(ms: number): string {
  return parts(ms).join(' ');
}

/** `22:41:07`. */
export function clockText(ms: number): string {
  return parts(ms)[1];
}

/** `9s`, `3m12s`, `2h5m`, `3d4h`: the two largest units. */
export function spanText(ms: number): string {
  const all = [
    [Math.floor(ms / DAY), 'd'],
    [Math.floor((ms % DAY) / HOUR), 'h'],
    [Math.floor((ms % HOUR) / MINUTE), 'm'],
    [Math.floor((ms % MINUTE) / SECOND), 's'],
  ] as const;
  const first = all.findIndex(([count]) => count > 0);
  if (first === -1) return '0s';
  return all
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join('');
}

/** Date and time, local. */
function parts(ms: number): readonly [string, string] {
  const at = new Date(ms);
  const two = (number: number): string => String(number).padStart(2, '0');
  return [
    `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
  ];
}
