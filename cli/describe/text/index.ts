/** Descriptions for people. */

export { writeLines } from '../../lines.ts';
export { descriptionLines } from './description_lines.ts';
