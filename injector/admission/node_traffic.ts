/**
 * What a pod takes from its own node: everything, as the API says, or only what its probes and hooks need. Source: core v1
 * `Probe`, `LifecycleHandler`; NetworkPolicy ("traffic to and from the node where a Pod is running is always allowed").
 */
import type { ApiObject } from './pod_object.ts';

/** Annotation of a namespace and of a pod. A pod may ask for less than its namespace, never for more. */
export const NODE_TRAFFIC_ANNOTATION = 'sluice.dev/node-traffic';
export const NODE_TRAFFIC_VALUES = ['all', 'probes'] as const;

/** Ports that the node may reach; each is a rule that every TCP packet passes. */
export const NODE_PORTS_MAX = 64;

/** The handlers that the kubelet dials, by where they stand in a container. `exec` needs no network. */
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];
const HOOKS = ['postStart', 'preStop'];
const HANDLERS = ['httpGet', 'tcpSocket', 'grpc'];

/**
 * The environment for what a pod takes from its node, and what is wrong with its annotations.
 * @param ports that its probes and hooks need
 */
export function nodeTraffic(
  annotations: Readonly<Record<string, unknown>>,
  namespaceAnnotations: Readonly<Record<string, unknown>>,
  ports: readonly number[],
): { readonly environment: Readonly<Record<string, string>>; readonly problems: readonly string[] } {
  const own = wanted(annotations);
  const namespaces = wanted(namespaceAnnotations);
  const problems = [
    ...wrongValue(own, 'annotation'),
    ...wrongValue(namespaces, "its namespace's annotation"),
    ...(own === 'all' && namespaces === 'probes'
      ? [
          `annotation ${NODE_TRAFFIC_ANNOTATION} is 'all', and its namespace has 'probes': a pod may ask for less only; leave it out`,
        ]
      : []),
  ];
  if (problems.length > 0 || (own !== 'probes' && namespaces !== 'probes'))
    return { environment: {}, problems };
  const distinct = [...new Set(ports)].sort((a, b) => a - b);
  if (distinct.length > NODE_PORTS_MAX)
    return {
      environment: {},
      problems: [
        `${NODE_TRAFFIC_ANNOTATION}=probes: its probes and hooks need ${distinct.length} ports, and at most ${NODE_PORTS_MAX} can be opened to the node`,
      ],
    };
  return {
    environment: { SLUICE_NODE_TRAFFIC: 'probes', SLUICE_NODE_PORTS: distinct.join(',') },
    problems,
  };
}

function wanted(annotations: Readonly<Record<string, unknown>>): unknown {
  return Object.hasOwn(annotations, NODE_TRAFFIC_ANNOTATION)
    ? annotations[NODE_TRAFFIC_ANNOTATION]
    : undefined;
}

function wrongValue(value: unknown, whose: string): readonly string[] {
  const known: readonly unknown[] = NODE_TRAFFIC_VALUES;
  return value === undefined || known.includes(value)
    ? []
    : [`${whose} ${NODE_TRAFFIC_ANNOTATION} is '${value}': wants one of ${NODE_TRAFFIC_VALUES.join(', ')}`];
}

/**
 * TCP ports of the pod that the kubelet dials for one container, which may be anything that a review holds. Named ones are the container's own; a name that it does
 * not have is left out, as the kubelet cannot dial it either. A handler with a `host` dials something else than the pod.
 */
export function probePorts(raw: unknown): readonly number[] {
  const container = record(raw);
  const named = new Map<unknown, unknown>();
  for (const port of Array.isArray(container.ports) ? container.ports.map(record) : [])
    if (['TCP', undefined, ''].includes(port.protocol as string)) named.set(port.name, port.containerPort);
  const lifecycle = record(container.lifecycle);
  const holders = [...PROBES.map((name) => container[name]), ...HOOKS.map((name) => lifecycle[name])];
  return holders
    .flatMap((holder) => HANDLERS.map((handler) => record(record(holder)[handler])))
    .filter(({ host = '' }) => host === '')
    .map(({ port }) => Number(typeof port === 'string' ? (named.get(port) ?? port) : port))
    .filter((port) => Number.isInteger(port) && port >= 1 && port <= 65_535);
}

function record(value: unknown): ApiObject {
  return typeof value === 'object' && value !== null ? (value as ApiObject) : {};
}
