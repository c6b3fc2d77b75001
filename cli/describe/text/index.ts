/** Descriptions for people. */

export { descriptionLines } from './description_lines.ts';
export { writeLines } from './lines.ts';
