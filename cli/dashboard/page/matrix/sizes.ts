/** Sizes of the matrix, CSS px. The style has them as well. */

/** A cell. */
export const CELL = { width: 44, height: 26 } as const;

/** The heads of rows and columns. */
export const HEAD = { width: 230, height: 144 } as const;

/** Rows or columns that are in the page, the end left out. */
export interface Span {
  readonly first: number;
  readonly end: number;
}

/** A few more than are seen, so that scrolling shows no gaps. */
const MORE = 4;

/** @param from how far it is scrolled, px @param length what is seen, px */
export function spanOf(from: number, length: number, size: number, count: number): Span {
  const first = Math.max(0, Math.floor(from / size) - MORE);
  return {
    first: Math.min(first, count),
    end: Math.min(count, Math.ceil((from + Math.max(0, length)) / size) + MORE),
  };
}

/** All in it. */
export function indices({ first, end }: Span): readonly number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}
