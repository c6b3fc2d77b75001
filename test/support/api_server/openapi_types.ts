/**
 * Checks objects field by field against the published OpenAPI types, as @kubernetes/client-node ships them: each model
 * has a map of its fields and their types. Unknown fields and wrong types are faults, as under `fieldValidation=Strict`.
 */
import * as client from '@kubernetes/client-node';
import { isRecord } from './api_object.ts';

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
const BASE_64 = /^[A-Za-z0-9+/]*={0,2}$/;
const LIST = /^(?:Array|Set)<(.+)>$/;
const MAP = /^\{ \[key: string\]: (.+); \}$/;

/**
 * What is wrong with a value, a line each: `spec.podSelektor: unknown field of V1NetworkPolicySpec`. Null counts as absent.
 * @param type name of a published type, such as `V1Pod`
 */
export function typeFaults(value: unknown, type: string, path = '', format = ''): string[] {
  if (value === undefined || value === null) return [];
  const list = LIST.exec(type)?.[1];
  if (list !== undefined) {
    if (!Array.isArray(value)) return [fault(path, 'a list')];
    return value.flatMap((item, index) => typeFaults(item, list, `${path}[${index}]`, format));
  }
  const map = MAP.exec(type)?.[1];
  if (map !== undefined) {
    if (!isRecord(value)) return [fault(path, 'a map')];
    return Object.entries(value).flatMap(([key, item]) => typeFaults(item, map, `${path}[${key}]`, format));
  }
  const attributes = attributesOf(type);
  return attributes === undefined
    ? scalarFaults(value, type, path, format)
    : objectFaults(value, type, path, attributes);
}

function objectFaults(
  value: unknown,
  type: string,
  path: string,
  attributes: readonly Attribute[],
): string[] {
  if (!isRecord(value)) return [fault(path, `an object of type ${type}`)];
  const prefix = path === '' ? '' : `${path}.`;
  return Object.entries(value).flatMap(([key, item]) => {
    const attribute = attributes.find(({ baseName }) => baseName === key);
    if (attribute === undefined) return [`${prefix}${key}: unknown field of ${type}`];
    return typeFaults(item, attribute.type, `${prefix}${key}`, attribute.format);
  });
}

function scalarFaults(value: unknown, type: string, path: string, format: string): string[] {
  switch (type) {
    case 'any':
    case 'object':
      return [];
    case 'string':
      if (typeof value !== 'string') return [fault(path, 'a text')];
      return format === 'byte' && !BASE_64.test(value) ? [fault(path, 'base64')] : [];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [fault(path, 'true or false')];
    case 'number':
      if (typeof value !== 'number') return [fault(path, 'a number')];
      return format.startsWith('int') && !Number.isInteger(value) ? [fault(path, 'a whole number')] : [];
    case 'IntOrString':
      return typeof value === 'string' || Number.isInteger(value)
        ? []
        : [fault(path, 'a whole number or a text')];
    case 'Date':
    case 'V1MicroTime':
      return typeof value === 'string' && RFC_3339.test(value) ? [] : [fault(path, 'an RFC 3339 time')];
    default:
      throw new Error(`${path}: the published types have no ${type}`);
  }
}

function fault(path: string, wanted: string): string {
  return `${path || 'the object'}: wants ${wanted}`;
}

/** The fields of a published model; undefined for what is none. */
function attributesOf(type: string): readonly Attribute[] | undefined {
  if (type === 'V1MicroTime') return undefined; // a class of its own in the client; a text in JSON
  const model: unknown = Reflect.get(client, type);
  if (typeof model !== 'function') return undefined;
  return Reflect.get(model, 'attributeTypeMap') as readonly Attribute[] | undefined;
}
