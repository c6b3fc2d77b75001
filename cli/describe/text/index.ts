/** Descriptions for people. */

export { descriptionLines } from './description_lines.ts';
