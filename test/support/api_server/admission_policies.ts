/** ValidatingAdmissionPolicies that a binding puts in force with the action Deny. */
import { type AdmissionRequest, objectsOf, ruleMatches, selectorsMatch } from './admission_request.ts';
import { ApiError } from './api_error.ts';
import { type ApiObject, isRecord, type Json } from './api_object.ts';
import { conditionsHold, evaluate } from './cel.ts';
import { resourceOfKind } from './resources.ts';
import type { Store } from './store.ts';

const API_VERSION = 'admissionregistration.k8s.io/v1';

/**
 * Evaluates the policies on a request.
 * @param asked `AdmissionReview.request`
 * @returns what goes into the audit log, by `POLICY/KEY`
 * @throws ApiError 422 with the message of the first validation that fails
 */
export function checkPolicies(
  store: Store,
  request: AdmissionRequest,
  asked: Json,
  namespace: ApiObject | undefined,
): Readonly<Record<string, string>> {
  const audited: Record<string, string> = {};
  const policies = listOf(store, 'ValidatingAdmissionPolicy');
  for (const binding of listOf(store, 'ValidatingAdmissionPolicyBinding')) {
    const bound = record(binding.spec);
    const policy = policies.find(({ metadata }) => metadata.name === bound.policyName);
    const actions = Array.isArray(bound.validationActions) ? bound.validationActions : [];
    if (policy === undefined || !actions.includes('Deny')) continue;
    const spec = record(policy.spec);
    const constraints = record(spec.matchConstraints);
    const rules = (constraints.resourceRules ?? []) as readonly Json[];
    if (!rules.some((rule) => ruleMatches(rule, request)) || !selectorsMatch(constraints, request, namespace))
      continue;
    if (!selectorsMatch(record(bound.matchResources), request, namespace)) continue;
    const variables: Record<string, unknown> = { ...objectsOf(request), request: asked };
    // An API server does not tell match conditions about the namespace.
    if (conditionsHold(spec.matchConditions, { ...variables, namespaceObject: {} }))
      Object.assign(
        audited,
        validate(policy.metadata.name, binding.metadata.name, spec, {
          ...variables,
          namespaceObject: namespace ?? null,
        }),
      );
  }
  return audited;
}

function validate(
  policy: string,
  binding: string,
  spec: Json,
  given: Record<string, unknown>,
): Record<string, string> {
  const composed: Record<string, unknown> = {};
  const variables = { ...given, variables: composed };
  for (const { name, expression } of (spec.variables ?? []) as readonly Json[])
    composed[String(name)] = evaluate(String(expression), variables);
  for (const { expression, message, messageExpression } of (spec.validations ?? []) as readonly Json[]) {
    if (evaluate(String(expression), variables) === true) continue;
    const said = messageExpression === undefined ? message : evaluate(String(messageExpression), variables);
    const why = said ?? `failed expression: ${expression}`;
    const text = `ValidatingAdmissionPolicy '${policy}' with binding '${binding}' denied request: ${why}`;
    throw new ApiError(422, 'Invalid', text);
  }
  const values = ((spec.auditAnnotations ?? []) as readonly Json[]).map(({ key, valueExpression }) => [
    `${policy}/${key}`,
    evaluate(String(valueExpression), variables),
  ]);
  return Object.fromEntries(values.filter(([, value]) => value !== '' && value !== null));
}

function listOf(store: Store, kind: string): readonly ApiObject[] {
  const resource = resourceOfKind(API_VERSION, kind);
  return resource === undefined ? [] : store.list(resource);
}

function record(value: unknown): Json {
  return isRecord(value) ? value : {};
}
