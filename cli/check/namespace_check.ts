/** Whether the pods of a namespace can be injected and are: by its labels, and by injection's own judgement of each pod. */
import { INJECT_ENABLED, INJECT_LABEL, isEnabled } from '../../injector/admission/annotations.ts';
import { inject } from '../../injector/admission/inject.ts';
import type { InjectionConfig } from '../../injector/admission/injection_config.ts';
import { SIDECAR_CONTAINER } from '../../injector/admission/names.ts';
import { type AdmittedContainer, parseAdmittedPod } from '../../injector/admission/pod_object.ts';
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
  /** It is there already: created before the label if it has no sidecar. */
  readonly running: boolean;
}

/** Namespaces that are never injected: the webhook's selector says so. */
const NEVER = ['kube-system', 'sluice-system'];

/** A label that says no: its pods are not injected, as without it. */
const DELIBERATE = 'disabled';

const POD_SECURITY = 'pod-security.kubernetes.io';

/** Levels that allow NET_ADMIN and NET_RAW. */
const ALLOWING = ['privileged'];

/** Injection decides the same under any installation's settings. */
const ANY_INSTALLATION: InjectionConfig = {
  version: '',
  image: '',
  imagePullPolicy: 'IfNotPresent',
  mode: 'native',
  injectorAddress: '',
  injectorName: '',
  iptables: 'auto',
  sidecarLogLevel: 'info',
  resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '2', memory: '512Mi' } },
};

/** Whether a namespace seems to ask for injection, in words that mean nothing. */
export function isMislabelled(namespace: CheckedNamespace): boolean {
  const value = namespace.labels[INJECT_LABEL];
  return ![undefined, INJECT_ENABLED, DELIBERATE].includes(value) && !NEVER.includes(namespace.name);
}

/**
 * Looks at a namespace that is enabled, or is to be.
 * @param injectorIPs where the injector is; empty where that is not known
 */
export function checkNamespace(
  namespace: CheckedNamespace,
  pods: readonly CheckedPod[],
  injectorIPs: readonly string[] = [],
): readonly Finding[] {
  const subject = `namespace ${namespace.name}`;
  if (NEVER.includes(namespace.name))
    return [
      error(
        subject,
        `is never injected: a cluster needs it to start${namespace.labels[INJECT_LABEL] === undefined ? '' : `; take the label ${INJECT_LABEL} off`}`,
      ),
    ];
  const found = [
    ...label(namespace, subject),
    ...podSecurity(namespace, subject),
    ...pods.flatMap((pod) => checkPod(pod, namespace, injectorIPs)),
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
        `Pod Security '${enforced}' refuses every injected pod: the sidecar has NET_ADMIN and NET_RAW. ` +
          `Label it ${POD_SECURITY}/enforce=privileged`,
      ),
    ];
  const spoken = strict('warn') ?? strict('audit');
  return spoken === undefined
    ? []
    : [
        warning(
          subject,
          `Pod Security '${spoken}' warns of every injected pod: NET_ADMIN and NET_RAW are more`,
        ),
      ];
}

function checkPod(
  { subject, object, running }: CheckedPod,
  namespace: CheckedNamespace,
  injectorIPs: readonly string[],
): readonly Finding[] {
  const parsed = parseAdmittedPod(object);
  if (!parsed.ok)
    return [error(subject, parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('; '))];
  const { containers, initContainers } = parsed.object;
  const injection = inject(parsed.object, namespace.annotations, ANY_INSTALLATION);
  switch (injection.kind) {
    case 'refused':
      return injection.reasons.map((reason) => error(subject, `will be refused: ${reason}`));
    case 'skipped':
      return [warning(subject, `is left out: ${injection.reason}`)];
    case 'injected':
      return [
        ...injection.warnings.map((message) => warning(subject, message)),
        ...(running && isEnabled(namespace)
          ? checkSidecar(subject, [...initContainers, ...containers], injectorIPs)
          : []),
      ];
    default:
      return injection satisfies never;
  }
}

/** The annotation would say that there is one, but whoever makes a pod may write it. */
function checkSidecar(
  subject: string,
  containers: readonly AdmittedContainer[],
  injectorIPs: readonly string[],
): readonly Finding[] {
  const sidecar = containers.find(({ name }) => name === SIDECAR_CONTAINER);
  if (sidecar === undefined)
    return [error(subject, 'has no sidecar, it is older than the label: restart its workload')];
  const told = injectorHost(sidecar);
  if (told === undefined || injectorIPs.length === 0 || injectorIPs.includes(told)) return [];
  return [
    error(
      subject,
      `its sidecar looks for the injector at ${told}, which is at ${injectorIPs.join(' and ')} now: ` +
        'it gets no tables once its connection ends; restart its workload',
    ),
  ];
}

/** The host that a sidecar was told at its injection, from `HOST:PORT` or `[HOST]:PORT`. */
function injectorHost({ raw }: AdmittedContainer): string | undefined {
  const variables = Array.isArray(raw.env) ? (raw.env as { name?: unknown; value?: unknown }[]) : [];
  const address = variables.find(({ name }) => name === 'SLUICE_INJECTOR_ADDRESS')?.value;
  return typeof address === 'string' ? address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1') : undefined;
}
