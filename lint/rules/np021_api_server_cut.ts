/** NP021. */
import { fieldsOf, isRecord } from '../../common/shape.ts';
import { objectKey, portMatches } from '../../policy/index.ts';
import {
  type LintedService,
  listed,
  type Model,
  nameOf,
  type Subject,
  servicesOfSubject,
} from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** A Service that the API server calls. */
interface Called {
  readonly service: LintedService;
  readonly port: number;
  /** `ValidatingWebhookConfiguration cert-manager-webhook`. */
  readonly by: string;
}

/** Webhooks and APIs that the API server cannot reach. */
export const np021: Rule = {
  code: 'NP021',
  severity: 'warning',
  title: 'the API server may not reach an admission webhook or an API behind a Service',
  explanation: `Admission and conversion webhooks, and APIs such as that of the metrics-server, are pods that the API server calls. It is no pod:
it calls from an address of its node. Where such pods are isolated for ingress, only a rule without peers, or with an address block, admits
it. Otherwise objects can no longer be made, or a whole API is gone.

An address block counts as one that has the API server's address.`,
  remedy: 'Admit the port of the webhook from everybody, or from the addresses of the control plane.',
  *check(model) {
    for (const { service, port, by } of calledServices(model)) {
      const target = service.service.ports.find((one) => one.port === port)?.targetPort;
      const cut = model
        .subjectsIn(service.service.namespace)
        .all.filter((subject) => servicesOfSubject(model, subject).includes(service))
        .filter((subject) => isCut(model, subject, target));
      const [first] = cut;
      const [policy] = first === undefined ? [] : model.isolating(first, 'ingress');
      if (policy === undefined) continue;
      yield {
        object: policy.object,
        path: ['spec', 'podSelector'],
        message: `${nameOf(policy)}: the API server may not reach ${listed(cut.map(({ name }) => name))} on port ${target}, which ${by} calls`,
        fix: { text: `an ingress rule for port ${target} without peers` },
      };
    }
  },
};

function isCut(model: Model, subject: Subject, target: number | string | undefined): boolean {
  if (model.isolating(subject, 'ingress').length === 0) return false;
  const port =
    typeof target === 'string'
      ? subject.pod.ports.find(({ name, protocol }) => name === target && protocol === 'TCP')?.port
      : target;
  if (port === undefined) return false;
  return !model
    .rulesOf(subject, 'ingress')
    .some(
      ({ peers, ports }) =>
        (peers.length === 0 || peers.some(({ kind }) => kind === 'ipBlock')) &&
        (ports.length === 0 || ports.some((test) => portMatches(test, 'ingress', 'TCP', port, []))),
    );
}

/** HTTPS, where none is written. Source: admissionregistration.k8s.io/v1 `ServiceReference`. */
const DEFAULT_PORT = 443;

function calledServices(model: Model): readonly Called[] {
  const services = new Map(model.services.map((linted) => [linted.object.key, linted]));
  return model.manifests.others.flatMap(({ kind, raw }) => {
    const spec = fieldsOf(raw.spec);
    const webhooks = Array.isArray(raw.webhooks) ? raw.webhooks.filter(isRecord) : [];
    const references = /^(Validating|Mutating)WebhookConfiguration$/.test(kind)
      ? webhooks.map(({ clientConfig }) => fieldsOf(clientConfig).service)
      : kind === 'APIService'
        ? [spec.service]
        : kind === 'CustomResourceDefinition'
          ? [fieldsOf(fieldsOf(fieldsOf(spec.conversion).webhook).clientConfig).service]
          : [];
    const keys = new Set<string>();
    return references.filter(isRecord).flatMap(({ namespace, name, port = DEFAULT_PORT }) => {
      const key = objectKey(String(namespace), String(name));
      const service = services.get(key);
      if (service === undefined || keys.has(`${key} ${port}`)) return [];
      keys.add(`${key} ${port}`);
      return [{ service, port: Number(port), by: `${kind} ${String(fieldsOf(raw.metadata).name)}` }];
    });
  });
}
