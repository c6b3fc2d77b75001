/** The text of manifests: documents split, YAML and JSON read as kubectl reads them. */

export { createEditor, type FieldEdit, type TextReplacement } from './edit.ts';
export { type FieldPath, locate, type TextPlace } from './locate.ts';
export { type ParsedText, parseText, splitDocuments } from './text.ts';
