/** Whether the pods of a namespace can be injected and are: by its labels, and by injection's own judgement of each pod. */

import { SIDECAR_CONTAINER } from '../../common/contract.ts';
import { unreachable } from '../../common/errors.ts';
import { fieldsOf } from '../../common/shape.ts';
import type { InjectionConfig } from '../../injector/admission/index.ts';
import {
  type AdmittedContainer,
  INJECT_ENABLED,
  INJECT_LABEL,
  inject,
  isEnabled,
  isNeverInjected,
  POD_SECURITY_LABEL,
  POD_SECURITY_LEVELS,
  parseAdmittedPod,
  podSecurityLevel,
  unknownNamespaceAnnotations,
} from '../../injector/admission/index.ts';
import type { Labels } from '../../policy/index.ts';
import { error, type Finding, ok, warning } from './finding.ts';

/** A namespace with all its labels, and those of its annotations that are Sluice's. */
export interface CheckedNamespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A pod, or what a workload makes pods of. */
export interface CheckedPod {
  /** Such as `pod shop/api`, `deployment shop/web`. */
  readonly subject: string;
  /** As injection gets it. */
  readonly object: unknown;
  /** It is in the cluster. Without a sidecar it was created before the label, or while there was no webhook. */
  readonly running: boolean;
}

/** The labels and annotations of a pod, or of what a workload makes pods of; empty where it has none. */
export function metadataOf({ object }: CheckedPod): {
  readonly labels: Labels;
  readonly annotations: Labels;
} {
  const { metadata } = (object ?? {}) as { metadata?: { labels?: Labels; annotations?: Labels } | null };
  return { labels: metadata?.labels ?? {}, annotations: metadata?.annotations ?? {} };
}

/** What of the installation matters to pods that run. */
export interface InjectorFacts {
  /** Cluster IPs of the injector; empty where they are not known. */
  readonly ips: readonly string[];
  readonly hasWebhook: boolean;
  /** Where it is. */
  readonly namespace: string;
}

/** Where the manifests put the injector. */
export const USUAL_NAMESPACE = 'sluice-system';

/** Of manifests, none of which runs. */
export const UNKNOWN_INJECTOR: InjectorFacts = { ips: [], hasWebhook: true, namespace: USUAL_NAMESPACE };

/** A label that says no: its pods are not injected, as without it. */
const DELIBERATE = 'disabled';

const POD_SECURITY = 'pod-security.kubernetes.io';

/** Levels that allow NET_ADMIN. */
const ALLOWING = ['privileged'];

/** Whether a namespace seems to ask for injection, in words that mean nothing. @param own the injector's namespace */
export function isMislabelled(namespace: CheckedNamespace, own: string): boolean {
  const value = namespace.labels[INJECT_LABEL];
  return ![undefined, INJECT_ENABLED, DELIBERATE].includes(value) && !isNeverInjected(namespace.name, own);
}

/**
 * Looks at a namespace that is enabled, or is to be.
 * @param settings what pods would be injected with
 */
export function checkNamespace(
  namespace: CheckedNamespace,
  pods: readonly CheckedPod[],
  settings: InjectionConfig,
  injector: InjectorFacts,
): readonly Finding[] {
  const subject = `namespace ${namespace.name}`;
  if (isNeverInjected(namespace.name, injector.namespace))
    return [
      error(
        subject,
        `is never injected: a cluster needs it to start${namespace.labels[INJECT_LABEL] === undefined ? '' : `; take the label ${INJECT_LABEL} off`}`,
      ),
    ];
  const found = [
    ...label(namespace, subject),
    ...podSecurity(namespace, subject),
    ...unknownNamespaceAnnotations(namespace.annotations).map((sentence) => warning(subject, sentence)),
    ...pods.flatMap((pod) => checkPod(pod, namespace, settings, injector)),
  ];
  const count = `${pods.length} ${pods.length === 1 ? 'pod or workload' : 'pods and workloads'}`;
  return found.length > 0 ? found : [ok(subject, `can be enforced: ${count} looked at`)];
}

/** Looks at the label alone: nothing else matters to a namespace that is not enabled. */
export function checkLabel(namespace: CheckedNamespace): readonly Finding[] {
  return label(namespace, `namespace ${namespace.name}`);
}

function label(namespace: CheckedNamespace, subject: string): readonly Finding[] {
  const value = namespace.labels[INJECT_LABEL];
  if (value === INJECT_ENABLED) return [];
  const now = value === undefined ? 'has no label' : `has '${value}' in the label`;
  return [warning(subject, `${now} ${INJECT_LABEL}: no pod is injected until it is ${INJECT_ENABLED}`)];
}

/** `enforce` refuses pods; `warn` and `audit` only talk. Without the label the cluster's default counts, often none. */
function podSecurity({ labels }: CheckedNamespace, subject: string): readonly Finding[] {
  const strict = (mode: string): string | undefined => {
    const level = labels[`${POD_SECURITY}/${mode}`];
    return level === undefined || ALLOWING.includes(level) ? undefined : level;
  };
  const enforced = strict('enforce');
  if (enforced !== undefined)
    return [
      error(
        subject,
        `Pod Security '${enforced}' refuses every injected pod: the sidecar has NET_ADMIN. ` +
          `Label it ${POD_SECURITY}/enforce=privileged`,
      ),
    ];
  const own = labels[POD_SECURITY_LABEL];
  if (own !== undefined && !POD_SECURITY_LEVELS.includes(own))
    return [
      warning(
        subject,
        `has '${own}' in the label ${POD_SECURITY_LABEL}, which is taken for restricted: wants ${POD_SECURITY_LEVELS.join(' or ')}`,
      ),
    ];
  const spoken = strict('warn') ?? strict('audit');
  return spoken === undefined
    ? []
    : [
        warning(
          subject,
          `Pod Security '${spoken}' warns of every injected pod: the sidecar's NET_ADMIN is more`,
        ),
      ];
}

function checkPod(
  { subject, object, running }: CheckedPod,
  namespace: CheckedNamespace,
  settings: InjectionConfig,
  injector: InjectorFacts,
): readonly Finding[] {
  const parsed = parseAdmittedPod(object);
  if (!parsed.ok)
    return [error(subject, parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('; '))];
  const { containers, initContainers } = parsed.object;
  const level = podSecurityLevel(namespace.labels);
  const injection = inject(parsed.object, namespace.annotations, settings, level);
  switch (injection.kind) {
    case 'refused':
      return injection.reasons.map((reason) => error(subject, `will be refused: ${reason}`));
    case 'skipped':
      return [warning(subject, `is left out: ${injection.reason}`)];
    case 'injected':
      return [
        ...injection.warnings.map((message) => warning(subject, message)),
        ...(running && isEnabled(namespace)
          ? checkSidecar(subject, [...initContainers, ...containers], injector)
          : []),
      ];
    default:
      return unreachable(injection);
  }
}

/** The annotation would say that there is one, but anybody who makes a pod may write it. */
function checkSidecar(
  subject: string,
  containers: readonly AdmittedContainer[],
  { ips, hasWebhook }: InjectorFacts,
): readonly Finding[] {
  const sidecar = containers.find(({ name }) => name === SIDECAR_CONTAINER);
  if (sidecar === undefined)
    return [
      error(
        subject,
        hasWebhook
          ? 'has no sidecar: it was created before the label, or while there was no webhook: restart its workload'
          : 'has no sidecar, as there is no webhook to add one: install Sluice, then restart its workload',
      ),
    ];
  const host = injectorHost(sidecar);
  if (host === undefined || ips.length === 0 || ips.includes(host)) return [];
  return [
    error(
      subject,
      `its sidecar looks for the injector at ${host}, which is at ${ips.join(' and ')} now: ` +
        'it gets no tables once its connection ends; restart its workload',
    ),
  ];
}

/** The injector's host that a sidecar got at its injection, from `HOST:PORT` or `[HOST]:PORT`. */
function injectorHost({ raw }: AdmittedContainer): string | undefined {
  const variables = Array.isArray(raw.env) ? raw.env.map(fieldsOf) : [];
  const address = variables.find(({ name }) => name === 'SLUICE_INJECTOR_ADDRESS')?.value;
  return typeof address === 'string' ? address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1') : undefined;
}
