/** Expressions of the Common Expression Language, as match conditions and admission policies have them. */
import { Environment } from '@marcbachmann/cel-js';
import { isRecord, type Json } from './api_object.ts';

/**
 * The value of an expression; whole numbers of JSON are ints, as in the API server.
 * @throws Error when it does not parse or a field is missing
 */
export function evaluate(expression: string, variables: Json): unknown {
  const environment = new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true });
  return environment.evaluate(expression, toCel(variables) as Record<string, unknown>);
}

/** Whether all `matchConditions` hold; absent ones do. */
export function conditionsHold(conditions: unknown, variables: Json): boolean {
  if (!Array.isArray(conditions)) return true;
  return conditions.every((condition: Json) => evaluate(String(condition.expression), variables) === true);
}

function toCel(value: unknown): unknown {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(toCel);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toCel(item)]));
}
