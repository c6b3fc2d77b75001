/** Admission: which webhooks and admission policies a request concerns, in which order, and what becomes of the object. */
import { isDeepStrictEqual } from 'node:util';
import { withAccountToken } from './account_token.ts';
import { checkPolicies } from './admission_policies.ts';
import {
  type AdmissionRequest,
  describeRequest,
  objectsOf,
  ruleMatches,
  selectorsMatch,
} from './admission_request.ts';
import { ApiError, badRequest } from './api_error.ts';
import type { ApiObject, Json } from './api_object.ts';
import { conditionsHold } from './cel.ts';
import { typeFaults } from './openapi_types.ts';
import { applyJsonPatch } from './patch.ts';
import { resourceOfKind } from './resources.ts';
import type { Store } from './store.ts';
import { callWebhook, denied, type ServiceResolver } from './webhook_call.ts';

const API_VERSION = 'admissionregistration.k8s.io/v1';

/** Asks the webhooks and policies that are stored. */
export class Admission {
  readonly #store: Store;
  readonly #resolve: ServiceResolver;
  /** What policies wrote into the audit log, a request each that they wrote about. */
  readonly audited: Readonly<Record<string, string>>[] = [];

  constructor(store: Store, resolve: ServiceResolver) {
    this.#store = store;
    this.#resolve = resolve;
  }

  /**
   * What is to be stored.
   * @throws ApiError when it is refused, or a webhook that has to be asked cannot be
   */
  async admit(request: AdmissionRequest): Promise<ApiObject | null> {
    const mutated = await this.#mutate(request);
    const asked = { ...request, object: mutated };
    for (const webhook of this.#webhooks('ValidatingWebhookConfiguration', asked))
      await this.#ask(webhook, asked);
    const said = checkPolicies(this.#store, asked, describeRequest(asked), this.#namespaceOf(asked));
    if (Object.keys(said).length > 0) this.audited.push(said);
    return mutated;
  }

  async #mutate(request: AdmissionRequest): Promise<ApiObject | null> {
    let object = withAccountToken(request.object);
    const first = { ...request, object };
    for (const webhook of this.#webhooks('MutatingWebhookConfiguration', first))
      object = await this.#ask(webhook, { ...request, object });
    // reinvocationPolicy: IfNeeded. A webhook is asked again when something altered the object after it had been asked.
    const mutated = object;
    object = withAccountToken(object);
    if (isDeepStrictEqual(object, mutated)) return object;
    const again = { ...request, object };
    for (const webhook of this.#webhooks('MutatingWebhookConfiguration', again))
      if (webhook.reinvocationPolicy === 'IfNeeded')
        object = await this.#ask(webhook, { ...request, object });
    return object;
  }

  /** The object after one webhook. */
  async #ask(webhook: Json, request: AdmissionRequest): Promise<ApiObject | null> {
    const { object, resource } = request;
    const review = {
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: describeRequest(request),
    };
    const answer = await callWebhook(webhook, review, this.#resolve).catch((cause: Error) => {
      if (webhook.failurePolicy === 'Ignore') return undefined;
      const why = `failed calling webhook "${webhook.name}": failed to call webhook: ${cause.message}`;
      throw new ApiError(500, 'InternalError', `Internal error occurred: ${why}`);
    });
    if (answer === undefined) return object;
    if (!answer.allowed) throw denied(webhook.name, answer);
    if (answer.patch === undefined) return object;
    const patched = applyJsonPatch(object, answer.patch);
    const faults = typeFaults(patched, resource.model);
    if (faults.length > 0) throw badRequest(`after webhook "${webhook.name}": ${faults.join('; ')}`);
    return patched as ApiObject;
  }

  #webhooks(kind: string, request: AdmissionRequest): readonly Json[] {
    const resource = resourceOfKind(API_VERSION, kind);
    const configurations = resource === undefined ? [] : this.#store.list(resource);
    return configurations
      .flatMap((configuration) => (configuration.webhooks ?? []) as readonly Json[])
      .filter((webhook) => this.#concerns(webhook, request));
  }

  #concerns(webhook: Json, request: AdmissionRequest): boolean {
    return (
      (webhook.rules as readonly Json[]).some((rule) => ruleMatches(rule, request)) &&
      selectorsMatch(webhook, request, this.#namespaceOf(request)) &&
      conditionsHold(webhook.matchConditions, { ...objectsOf(request), request: describeRequest(request) })
    );
  }

  #namespaceOf(request: AdmissionRequest): ApiObject | undefined {
    const namespaces = resourceOfKind('v1', 'Namespace');
    if (namespaces === undefined || request.namespace === undefined) return undefined;
    return this.#store.find(namespaces, undefined, request.namespace);
  }
}
