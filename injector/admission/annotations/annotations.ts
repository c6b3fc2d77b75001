/**
 * The labels and annotations that steer injection: of namespaces, who may what; of pods, how their sidecar is set.
 * docs/kubernetes.md lists them; a test keeps it equal to these tables.
 */

import { ANNOTATION_PREFIX, isNeverInjected, OWN_PORTS, type SidecarEnv } from '../../../common/contract.ts';
import { FLOW_LOGS, LOG_LEVELS } from '../../../common/log.ts';
import { isPort } from '../../../common/net.ts';
import { shown } from '../../../common/shown.ts';
import { NODE_TRAFFIC_ANNOTATION } from './node_traffic.ts';
import { quantityValue, type ResourceName, resourceProblem } from './quantity.ts';

/** Label of a namespace whose pods are injected, with the value `enabled`. */
export const INJECT_LABEL = 'sluice.dev/inject';
export const INJECT_ENABLED = 'enabled';

/** Whether a namespace asks for injection. */
export function isEnabled({ labels }: { readonly labels: Readonly<Record<string, string>> }): boolean {
  return labels[INJECT_LABEL] === INJECT_ENABLED;
}

/** Whether the pods of a namespace are injected. @param own the injector's namespace */
export function isInjected(
  namespace: { readonly name: string; readonly labels?: Readonly<Record<string, string>> },
  own: string,
): boolean {
  const { name, labels = {} } = namespace;
  return !isNeverInjected(name, own) && isEnabled({ labels });
}

/** Annotation that injection writes: the version, and what was added. */
export const STATUS_ANNOTATION = 'sluice.dev/status';

/**
 * Annotations that the injector writes on policies beside that: the state as one word, and the generation that every pod enforces as a
 * whole, 0 while there is none. `kubectl wait` can compare them. docs/adr/0019-status-on-the-policy.md
 */
export const STATE_ANNOTATION = 'sluice.dev/state';
export const ENFORCED_GENERATION_ANNOTATION = 'sluice.dev/enforced-generation';

/**
 * Annotation of a pod: its volumes on the node's disk, separated by commas alone, that do not keep cluster-autoscaler from
 * taking the node away. Source: `SafeToEvictLocalVolumesKey` of cluster-autoscaler.
 */
export const EVICTABLE_VOLUMES_ANNOTATION = 'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes';

/** The value of that annotation with one more volume. @param value what the pod has of its own */
export function withEvictableVolume(value: string | undefined, volume: string): string {
  if (!value) return volume;
  return value.split(',').includes(volume) ? value : `${value},${volume}`;
}

/** Annotation of a pod that is to be left alone, with the value `disabled`; only where its namespace allows it. */
export const OPT_OUT_ANNOTATION = 'sluice.dev/inject';
export const OPT_OUT_VALUE = 'disabled';

/** Annotations of a namespace. Each is off unless its value is `true`. */
export const NAMESPACE_ANNOTATIONS = {
  allowOptOut: {
    annotation: 'sluice.dev/allow-opt-out',
    description: `pods may leave themselves out with \`${OPT_OUT_ANNOTATION}: ${OPT_OUT_VALUE}\`; anyone who may annotate a pod can then bypass policy`,
  },
  allowPrivileged: {
    annotation: 'sluice.dev/allow-privileged',
    description:
      'pods may be more than Pod Security allows: privileged, with NET_ADMIN, NET_RAW, SYS_ADMIN or any other capability, host paths, host ports, the host network, where policy does not reach them; they may share processes (`shareProcessNamespace`, `hostPID`); and `kubectl exec`, `attach` and `resize` may be of the sidecar. They can take the enforcement out of their own pod. The audit log names what was allowed',
  },
  allowExcludedPorts: {
    annotation: 'sluice.dev/allow-excluded-ports',
    description:
      'pods may have TCP ports bypass the proxy with `sluice.dev/excluded-ports`, also where the kernel cannot end connections: there the gate still judges new ones, but a change of policy does not end live ones. `sluice.dev/path` needs no permission',
  },
} as const;

/** Annotation of a pod: TCP ports that bypass its proxy; only where its namespace allows it. */
export const EXCLUDED_PORTS_ANNOTATION = 'sluice.dev/excluded-ports';

/** How many; each is a rule that every packet passes. */
export const EXCLUDED_PORTS_MAX = 15;

/** Annotation of a namespace, for its pods that have none, and of a pod: which way inbound TCP takes to its app, see `parsePath`. */
export const PATH_ANNOTATION = 'sluice.dev/path';

/** Whether a namespace allows something to its pods. */
export function allows(
  namespaceAnnotations: Readonly<Record<string, unknown>>,
  what: keyof typeof NAMESPACE_ANNOTATIONS,
): boolean {
  return namespaceAnnotations[NAMESPACE_ANNOTATIONS[what].annotation] === 'true';
}

/** A pod's annotation that sets one environment variable of its sidecar. */
export interface SidecarAnnotation {
  readonly annotation: string;
  readonly env: SidecarEnv;
  /** The values it may have, the same as the sidecar's own setting takes. */
  readonly values: readonly string[];
  readonly description: string;
}

/** Settings that a pod may choose for its sidecar. */
export const SIDECAR_ANNOTATIONS: readonly SidecarAnnotation[] = [
  {
    annotation: 'sluice.dev/deny',
    env: 'SLUICE_DENY',
    values: ['drop', 'reset'],
    description: 'what a denied TCP SYN gets: no answer, or a reset',
  },
  {
    annotation: 'sluice.dev/other-protocols',
    env: 'SLUICE_OTHER_PROTOCOLS',
    values: ['drop', 'accept'],
    description: 'what an isolated pod gets of protocols beside TCP, UDP and SCTP, such as ICMP echo',
  },
  {
    annotation: 'sluice.dev/flow-log',
    env: 'SLUICE_FLOW_LOG',
    values: FLOW_LOGS,
    description:
      "which flows have a line in the log of the pod's sidecar: those that are denied or cut, all, or none",
  },
  {
    annotation: 'sluice.dev/log-level',
    env: 'SLUICE_LOG_LEVEL',
    values: LOG_LEVELS,
    description: "lowest level that the pod's sidecar logs",
  },
];

/** A pod's annotation that sets one resource of its sidecar. */
export interface ResourceAnnotation {
  readonly annotation: string;
  readonly kind: 'requests' | 'limits';
  readonly resource: ResourceName;
  readonly description: string;
}

/** Resources that a pod may choose for its sidecar. */
export const RESOURCE_ANNOTATIONS: readonly ResourceAnnotation[] = (['cpu', 'memory'] as const).flatMap(
  (resource) =>
    (['requests', 'limits'] as const).map((kind) => ({
      annotation: `sluice.dev/${resource}-${kind === 'requests' ? 'request' : 'limit'}`,
      kind,
      resource,
      description: `\`resources.${kind}.${resource}\` of the sidecar, such as ${resource === 'cpu' ? '`100m`' : '`128Mi`'}`,
    })),
);

/**
 * The environment that a pod's annotations ask for.
 * @returns the variables, and what is wrong: one sentence for each annotation with a value that it cannot have
 */
export function annotatedEnvironment(annotations: Readonly<Record<string, unknown>>): {
  readonly environment: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
} {
  const environment: Record<string, string> = {};
  const problems: string[] = [];
  for (const { annotation, env, values } of SIDECAR_ANNOTATIONS) {
    const value = own(annotations, annotation);
    if (value === undefined) continue;
    if (typeof value === 'string' && values.includes(value)) environment[env] = value;
    else problems.push(`annotation ${annotation} is '${shown(value)}': wants one of ${values.join(', ')}`);
  }
  return { environment, problems };
}

/** The environment for the ports that a pod wants to bypass its proxy, and what is wrong with that. */
export function excludedPorts(
  annotations: Readonly<Record<string, unknown>>,
  isAllowed: boolean,
): { readonly environment: Readonly<Record<string, string>>; readonly problems: readonly string[] } {
  const value = own(annotations, EXCLUDED_PORTS_ANNOTATION);
  if (value === undefined) return { environment: {}, problems: [] };
  const problem = isAllowed
    ? excludedPortsProblem(String(value).split(','))
    : `its namespace does not allow it: leave it out, or annotate the namespace with ${NAMESPACE_ANNOTATIONS.allowExcludedPorts.annotation}=true`;
  return problem === undefined
    ? { environment: { SLUICE_EXCLUDED_PORTS: String(value) }, problems: [] }
    : {
        environment: {},
        problems: [`annotation ${EXCLUDED_PORTS_ANNOTATION} is '${shown(value)}': ${problem}`],
      };
}

function excludedPortsProblem(ports: readonly string[]): string | undefined {
  const isOne = (text: string) => /^[1-9]\d{0,4}$/.test(text) && isPort(Number(text));
  if (ports.length > EXCLUDED_PORTS_MAX || !ports.every(isOne))
    return `wants at most ${EXCLUDED_PORTS_MAX} ports from 1 to 65535, separated by commas`;
  const own = ports.find((port) => OWN_PORTS.includes(Number(port)));
  return own === undefined ? undefined : `${own} is the sidecar's own: leave it out`;
}

/** Requests and limits of one container, by resource. */
export interface Resources {
  readonly requests: Readonly<Record<ResourceName, string>>;
  readonly limits: Readonly<Record<ResourceName, string>>;
}

/** The defaults with what a pod's annotations change, and what is wrong with those. */
export function annotatedResources(
  annotations: Readonly<Record<string, unknown>>,
  defaults: Resources,
): { readonly resources: Resources; readonly problems: readonly string[] } {
  const resources = { requests: { ...defaults.requests }, limits: { ...defaults.limits } };
  const problems: string[] = [];
  const set: ResourceAnnotation[] = [];
  for (const entry of RESOURCE_ANNOTATIONS) {
    const value = own(annotations, entry.annotation);
    if (value === undefined) continue;
    const problem = resourceProblem(entry.resource, String(value));
    if (problem !== undefined) {
      problems.push(`annotation ${entry.annotation} is '${shown(value)}': ${problem}`);
      continue;
    }
    resources[entry.kind][entry.resource] = String(value);
    set.push(entry);
  }
  return { resources, problems: [...problems, ...requestsOverLimits(resources, set)] };
}

/** The API server would refuse a request above its limit, and its message would not name the annotation. */
function requestsOverLimits(resources: Resources, set: readonly ResourceAnnotation[]): readonly string[] {
  return (['cpu', 'memory'] as const).flatMap((resource) => {
    const named = set.filter((entry) => entry.resource === resource).map(({ annotation }) => annotation);
    const { requests, limits } = resources;
    if (named.length === 0 || quantityValue(requests[resource]) <= quantityValue(limits[resource])) return [];
    return [
      `annotation ${named.join(' and ')}: the sidecar's ${resource} request ${shown(requests[resource])} is over its limit ${shown(limits[resource])}`,
    ];
  });
}

/** Annotations of a pod that begin with our name and that nothing reads: likely misspelt. One sentence for each. */
export function unknownAnnotations(annotations: Readonly<Record<string, unknown>>): readonly string[] {
  const settings = [...SIDECAR_ANNOTATIONS, ...RESOURCE_ANNOTATIONS].map(({ annotation }) => annotation);
  const others = [
    STATUS_ANNOTATION,
    OPT_OUT_ANNOTATION,
    EXCLUDED_PORTS_ANNOTATION,
    PATH_ANNOTATION,
    NODE_TRAFFIC_ANNOTATION,
  ];
  return meaningless(annotations, [...settings, ...others], 'sluice');
}

/** The same of a namespace. */
export function unknownNamespaceAnnotations(
  annotations: Readonly<Record<string, unknown>>,
): readonly string[] {
  const permissions = Object.values(NAMESPACE_ANNOTATIONS).map(({ annotation }) => annotation);
  return meaningless(annotations, [...permissions, PATH_ANNOTATION, NODE_TRAFFIC_ANNOTATION], 'sluice here');
}

function meaningless(
  annotations: Readonly<Record<string, unknown>>,
  known: readonly string[],
  whom: string,
): readonly string[] {
  return Object.keys(annotations)
    .filter((name) => name.startsWith(ANNOTATION_PREFIX) && !known.includes(name))
    .map((name) => `annotation ${name} means nothing to ${whom}: look at its spelling`);
}

function own(annotations: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(annotations, name) ? annotations[name] : undefined;
}
