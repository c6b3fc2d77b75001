/** The terminal: colours, one line of progress, tables that fit. In a pipe there is none of it. */

export { foldText } from './fold.ts';
export { createProgress, type Progress } from './progress.ts';
export { COLOR_CHOICES, createStyle, type Style } from './style.ts';
export { tableRows, tableText } from './table.ts';
