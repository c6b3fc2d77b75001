/** Checks objects against the Kubernetes schemas: unknown fields and types, required fields and allowed values. */
import { typeFaults } from '../support/api_server/openapi_types.ts';
import type { Rendered } from './render.ts';

/** What is wrong, a line each. */
export async function schemaFaults(object: Rendered): Promise<readonly string[]> {
  return [...typeFaults(object, `V1${object.kind}`), ...(await modelFaults(object))];
}

/** By the schemas that the package kubernetes-models takes from the API's OpenAPI document. */
async function modelFaults(object: Rendered): Promise<readonly string[]> {
  const specifier = `kubernetes-models/${object.apiVersion}/${object.kind}`;
  const module = (await import(/* @vite-ignore */ specifier)) as Readonly<
    Record<string, new (data: unknown) => { validate(): void }>
  >;
  const Model = module[object.kind];
  if (Model === undefined) return [`${object.apiVersion} ${object.kind}: no such model`];
  try {
    new Model(object).validate();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
