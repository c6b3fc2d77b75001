/** The text of manifests: documents split, YAML and JSON read as kubectl reads them. */

export { type FieldPath, locate, type TextPlace } from './locate.ts';
export { type ParsedText, parseText, splitDocuments } from './text.ts';
