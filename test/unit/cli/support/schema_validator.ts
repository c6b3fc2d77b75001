/** Holds data to the schemas of docs/schema. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isRecord } from '../../../../common/shape.ts';

const SCHEMAS = join(import.meta.dirname, '../../../../docs/schema');

/** With every object closed: readers take fields that are new, tests do not. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isRecord(schema)) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return schema.type === 'object' ? { ...parts, additionalProperties: false } : parts;
}

/** What is wrong with JSON by a schema: its file's name, such as `can.v1.json`. Nothing where it has the form. */
export function validator(name: string) {
  const ajv = new Ajv2020({ allowUnionTypes: true });
  // One may refer to parts of another.
  for (const file of readdirSync(SCHEMAS))
    ajv.addSchema(closed(JSON.parse(readFileSync(join(SCHEMAS, file), 'utf8'))) as object, file);
  const validate = ajv.getSchema(name);
  if (validate === undefined) throw new Error(`there is no schema ${name}`);
  return (text: string) => (validate(JSON.parse(text)) ? [] : (validate.errors ?? []));
}
