/** The text of manifests: documents split, YAML and JSON read as kubectl reads them. */

export { createEditor, type FieldEdit, type TextReplacement } from './edit.ts';
export { type FieldPath, locate, type TextPlace } from './locate.ts';
export { cutDocuments, MAX_DEPTH, MAX_TOKENS, type ParsedText, parseText, splitDocuments } from './text.ts';
export { MAX_COPIED_SHARE, MAX_VALUES } from './yaml_value.ts';
