/** Numbers as people read them. */

/** Three significant digits, thousands whole: `0.123`, `12.3`, `12,345`. */
export function number(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** A ratio: two decimals. */
export function ratio(value: number): string {
  return value.toFixed(2);
}
