/** Whether the pods of a namespace can be injected and are: by its labels, and by injection's own judgement of each pod. */

import { isNeverInjected, SIDECAR_CONTAINER, USUAL_NAMESPACE } from '../../common/contract.ts';
import { unreachable } from '../../common/errors.ts';
import { fieldsOf } from '../../common/shape.ts';
import type { InjectionConfig } from '../../injector/admission/index.ts';
import {
  type AdmittedContainer,
  INJECT_ENABLED,
  INJECT_LABEL,
  inject,
  isEnabled,
  POD_SECURITY_LABEL,
  POD_SECURITY_LEVELS,
  parseAdmittedPod,
  podSecurityLevel,
  unknownNamespaceAnnotations,
} from '../../injector/admission/index.ts';
import type { Labels } from '../../policy/index.ts';
import { error, type Finding, type FoundOf, ok, shellWord, warning } from './finding.ts';
import { type CheckedWorkload, restartCommands, workloadSubject } from './workload.ts';

/** A namespace with all its labels, and those of its annotations that are Sluice's. */
export interface CheckedNamespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A pod, or what a workload makes pods of. */
export interface CheckedPod {
  /** What it belongs to, or what makes pods of it. */
  readonly workload: CheckedWorkload;
  /** Name of a pod of the cluster. Without a sidecar it was created before the label, or while there was no webhook. */
  readonly pod?: string;
  /** How many pods it stands for. */
  readonly count: number;
  /** As injection gets it. */
  readonly object: unknown;
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
        'CK202',
        subject,
        `is never injected: a cluster needs it to start${namespace.labels[INJECT_LABEL] === undefined ? '' : `; take the label ${INJECT_LABEL} off`}`,
        ...(namespace.labels[INJECT_LABEL] === undefined
          ? []
          : [`kubectl label namespace ${shellWord(namespace.name)} ${INJECT_LABEL}-`]),
      ),
    ];
  const found = [
    ...label(namespace, subject),
    ...podSecurity(namespace, subject),
    ...unknownNamespaceAnnotations(namespace.annotations).map((sentence) =>
      warning('CK208', subject, sentence),
    ),
    ...pods.flatMap((pod) =>
      checkPod(pod, namespace, settings, injector).map((finding) => ({ ...finding, of: foundOf(pod) })),
    ),
  ];
  const count = `${pods.length} ${pods.length === 1 ? 'pod or workload' : 'pods and workloads'}`;
  return found.length > 0 ? found : [ok(subject, `can be enforced: ${count} looked at`)];
}

function foundOf({ workload, pod }: CheckedPod): FoundOf {
  return { workload: workloadSubject(workload), ...(pod === undefined ? {} : { pod }) };
}

/** Looks at the label alone: nothing else matters to a namespace that is not enabled. */
export function checkLabel(namespace: CheckedNamespace): readonly Finding[] {
  return label(namespace, `namespace ${namespace.name}`);
}

function label(namespace: CheckedNamespace, subject: string): readonly Finding[] {
  const value = namespace.labels[INJECT_LABEL];
  if (value === INJECT_ENABLED) return [];
  const now = value === undefined ? 'has no label' : `has '${value}' in the label`;
  return [
    warning(
      'CK203',
      subject,
      `${now} ${INJECT_LABEL}: no pod is injected until it is ${INJECT_ENABLED}`,
      `kubectl label namespace ${shellWord(namespace.name)} ${INJECT_LABEL}=${INJECT_ENABLED} --overwrite`,
    ),
  ];
}

/** `enforce` refuses pods; `warn` and `audit` only talk. Without the label the cluster's default counts, often none. */
function podSecurity({ name, labels }: CheckedNamespace, subject: string): readonly Finding[] {
  const strict = (mode: string): string | undefined => {
    const level = labels[`${POD_SECURITY}/${mode}`];
    return level === undefined || ALLOWING.includes(level) ? undefined : level;
  };
  const enforced = strict('enforce');
  if (enforced !== undefined)
    return [
      error(
        'CK205',
        subject,
        `Pod Security '${enforced}' refuses every injected pod: the sidecar has NET_ADMIN. ` +
          `Label it ${POD_SECURITY}/enforce=privileged`,
        `kubectl label namespace ${shellWord(name)} ${POD_SECURITY}/enforce=privileged --overwrite`,
      ),
    ];
  const own = labels[POD_SECURITY_LABEL];
  if (own !== undefined && !POD_SECURITY_LEVELS.includes(own))
    return [
      warning(
        'CK207',
        subject,
        `has '${own}' in the label ${POD_SECURITY_LABEL}, which is taken for restricted: wants ${POD_SECURITY_LEVELS.join(' or ')}`,
      ),
    ];
  const spoken = strict('warn') ?? strict('audit');
  return spoken === undefined
    ? []
    : [
        warning(
          'CK206',
          subject,
          `Pod Security '${spoken}' warns of every injected pod: the sidecar's NET_ADMIN is more`,
        ),
      ];
}

function checkPod(
  { workload, object, pod }: CheckedPod,
  namespace: CheckedNamespace,
  settings: InjectionConfig,
  injector: InjectorFacts,
): readonly Finding[] {
  const subject = workloadSubject(workload);
  const parsed = parseAdmittedPod(object);
  if (!parsed.ok)
    return [
      error('CK301', subject, parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('; ')),
    ];
  const { containers, initContainers } = parsed.object;
  const level = podSecurityLevel(namespace.labels);
  const injection = inject(parsed.object, namespace.annotations, settings, level);
  switch (injection.kind) {
    case 'refused':
      return injection.reasons.map((reason) => error('CK302', subject, `will be refused: ${reason}`));
    case 'skipped':
      return [warning('CK303', subject, `is left out: ${injection.reason}`)];
    case 'injected':
      return [
        ...injection.warnings.map((message) => warning('CK208', subject, message)),
        ...(pod !== undefined && isEnabled(namespace)
          ? checkSidecar(workload, [...initContainers, ...containers], injector)
          : []),
      ];
    default:
      return unreachable(injection);
  }
}

/** The annotation would say that there is one, but anybody who makes a pod may write it. */
function checkSidecar(
  workload: CheckedWorkload,
  containers: readonly AdmittedContainer[],
  { ips, hasWebhook }: InjectorFacts,
): readonly Finding[] {
  const subject = workloadSubject(workload);
  const restart = restartCommands(workload);
  const sidecar = containers.find(({ name }) => name === SIDECAR_CONTAINER);
  if (sidecar === undefined)
    return [
      error(
        'CK304',
        subject,
        hasWebhook
          ? 'has no sidecar: it was created before the label, or while there was no webhook: restart its workload'
          : 'has no sidecar, as there is no webhook to add one: install Sluice, then restart its workload',
        ...restart,
      ),
    ];
  const host = injectorHost(sidecar);
  if (host === undefined || ips.length === 0 || ips.includes(host)) return [];
  return [
    error(
      'CK305',
      subject,
      `its sidecar looks for the injector at ${host}, which is at ${ips.join(' and ')} now: ` +
        'it gets no tables once its connection ends; restart its workload',
      ...restart,
    ),
  ];
}

/** The injector's host that a sidecar got at its injection, from `HOST:PORT` or `[HOST]:PORT`. */
function injectorHost({ raw }: AdmittedContainer): string | undefined {
  const variables = Array.isArray(raw.env) ? raw.env.map(fieldsOf) : [];
  const address = variables.find(({ name }) => name === 'SLUICE_INJECTOR_ADDRESS')?.value;
  return typeof address === 'string' ? address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1') : undefined;
}
