/** Holds what commands print to the forms in docs/schema. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isRecord } from '../../../../common/shape.ts';

const SCHEMAS = join(import.meta.dirname, '../../../../docs/schema');

/** With every object closed: readers take fields that are new, this test does not. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isRecord(schema)) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return schema.type === 'object' ? { ...parts, additionalProperties: false } : parts;
}

/** What is wrong with a JSON text by docs/schema/NAME; nothing where it has the form. */
export function schemaProblems(name: string, text: string) {
  const schema: unknown = JSON.parse(readFileSync(join(SCHEMAS, name), 'utf8'));
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(closed(schema) as object);
  return validate(JSON.parse(text)) ? [] : (validate.errors ?? []);
}
