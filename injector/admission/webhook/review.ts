/** AdmissionReview v1: what an API server asks about a pod, and the answer. Source: `admission.k8s.io/v1`. */

import { unreachable } from '../../../common/errors.ts';
import type { Field } from '../../../policy/index.ts';
import { type Parsed, parseObject } from '../../../policy/index.ts';
import type { InjectionConfig } from '../injection/index.ts';
import { type Injection, inject } from '../injection/index.ts';
import type { ApiObject } from '../pod/index.ts';
import { parseAdmittedPod } from '../pod/index.ts';
import type { PodSecurityLevel } from '../privileges/index.ts';

const API_VERSION = 'admission.k8s.io/v1';

/** A request to create a pod. */
export interface AdmissionRequest {
  readonly uid: string;
  /** The request's own: the pod may have none yet. */
  readonly namespace: string;
  /** Empty, or the start of one, where the API server has still to make it. */
  readonly name: string;
  /** Nothing may change because of it. */
  readonly dryRun: boolean;
  readonly object: unknown;
}

/** What became of a request, for the log and the metrics. */
export type AdmissionOutcome = 'injected' | 'unchanged' | 'skipped' | 'opted-out' | 'refused' | 'error';

/** An answer, and what to say about it. */
export interface AdmissionAnswer {
  readonly review: ApiObject;
  readonly outcome: AdmissionOutcome;
  /** Why it was skipped or refused; empty when it was injected. */
  readonly message: string;
}

/** Reads an AdmissionReview. Errors name fields; what is not about a new pod is one. */
export function parseReview(value: unknown): Parsed<AdmissionRequest> {
  return parseObject(value, readReview);
}

function readReview(review: Field): AdmissionRequest {
  const version = review.child('apiVersion');
  if (version.isAbsent) version.required();
  version.word([API_VERSION]);
  const kind = review.child('kind');
  if (kind.isAbsent) kind.required();
  kind.word(['AdmissionReview']);
  const request = review.child('request');
  if (request.isAbsent) request.required();
  request.object();
  request.child('operation').word(['CREATE']);
  const resource = request.child('resource');
  resource.object();
  resource.child('group').word(['']);
  resource.child('resource').word(['pods']);
  const metadata = request.child('object').child('metadata');
  const name = (field: Field): string => field.child('name').filledText() ?? '';
  return {
    uid: required(request.child('uid')),
    namespace: required(request.child('namespace')),
    name: name(request) || name(metadata) || (metadata.child('generateName').filledText() ?? ''),
    dryRun: request.child('dryRun').flag(),
    object: request.child('object').value,
  };
}

function required(field: Field): string {
  const text = field.filledText();
  if (field.isAbsent || field.value === '') field.required();
  return text ?? '';
}

/**
 * The answer to a request.
 * @param namespaceAnnotations of the request's namespace
 * @param level of Pod Security, to which its pods are held
 * @param config undefined: the injector has no address for sidecars yet, so nothing can be injected
 */
export function answerReview(
  request: AdmissionRequest,
  namespaceAnnotations: Readonly<Record<string, string>>,
  config: InjectionConfig | undefined,
  level: PodSecurityLevel = 'baseline',
): AdmissionAnswer {
  if (config === undefined)
    return unable(request, "the injector's Service has no address yet: try again in a moment");
  const pod = parseAdmittedPod(request.object);
  if (!pod.ok)
    return refusal(
      request,
      422,
      'refused',
      pod.errors.map(({ path, message }) => `${path}: ${message}`).join('; '),
    );
  return answerTo(request, inject(pod.object, namespaceAnnotations, config, level));
}

/** The answer where injection could not be prepared: no pod, rather than one that waits for what may never come. */
export function unable(request: AdmissionRequest, why: string): AdmissionAnswer {
  return refusal(request, 503, 'error', why);
}

function answerTo(request: AdmissionRequest, injection: Injection): AdmissionAnswer {
  switch (injection.kind) {
    case 'refused':
      return refusal(request, 403, 'refused', injection.reasons.join('; '));
    case 'skipped': {
      const { optOut, reason, privileges } = injection;
      return allowed(request, optOut ? 'opted-out' : 'skipped', reason, privileges, {
        ...(optOut ? { warnings: [`sluice does not enforce this pod: ${reason}`] } : {}),
      });
    }
    case 'injected': {
      const { warnings, privileges } = injection;
      const said = warnings.length === 0 ? {} : { warnings };
      if (injection.patch.length === 0) return allowed(request, 'unchanged', '', privileges, said);
      const patch = Buffer.from(JSON.stringify(injection.patch)).toString('base64');
      return allowed(request, 'injected', '', privileges, { patchType: 'JSONPatch', patch, ...said });
    }
    default:
      return unreachable(injection);
  }
}

/** Privileges that an audit annotation names; more are only counted. */
const PRIVILEGES_NAMED = 10;

/** The outcome goes into the audit log too, under the webhook's name: who was left out, and who got more than others. */
function allowed(
  { uid }: AdmissionRequest,
  outcome: AdmissionOutcome,
  message: string,
  privileges: readonly string[],
  more: ApiObject,
): AdmissionAnswer {
  const named = privileges.slice(0, PRIVILEGES_NAMED);
  const auditAnnotations = {
    outcome,
    ...(message === '' ? {} : { reason: message }),
    ...(named.length === 0 ? {} : { 'allowed-privileges': `${privileges.length}: ${named.join('; ')}` }),
  };
  return { review: review({ uid, allowed: true, ...more, auditAnnotations }), outcome, message };
}

function refusal(
  { uid, namespace, name }: AdmissionRequest,
  code: number,
  outcome: AdmissionOutcome,
  why: string,
): AdmissionAnswer {
  const status = { code, message: `pod ${namespace}/${name}: ${why}` };
  return { review: review({ uid, allowed: false, status }), outcome, message: why };
}

function review(response: ApiObject): ApiObject {
  return { apiVersion: API_VERSION, kind: 'AdmissionReview', response };
}
