/** What is not counted: findings that somebody has said are meant, and those that were there before. */

export { objectText, withoutBaseline } from './baseline.ts';
export { IGNORE_ANNOTATION, type Parted, type Suppressed, suppress } from './suppress.ts';
