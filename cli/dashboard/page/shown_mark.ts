/** Marks for `performance`: when the page first showed what it is for. */

/** The name of the mark. */
export const SHOWN = 'sluice-shown';

/** Call it when the map or the matrix has been drawn. The mark is set once, after the browser has painted it. */
export function markShown(): void {
  if (performance.getEntriesByName(SHOWN).length > 0) return;
  requestAnimationFrame(() =>
    setTimeout(() => {
      if (performance.getEntriesByName(SHOWN).length === 0) performance.mark(SHOWN);
    }),
  );
}
