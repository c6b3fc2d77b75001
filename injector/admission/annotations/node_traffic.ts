import { shown } from '../../../common/shown.ts';

/** Annotation of a namespace and of a pod. A pod may ask for less than its namespace, never for more. */
export const NODE_TRAFFIC_ANNOTATION = 'sluice.dev/node-traffic';
export const NODE_TRAFFIC_VALUES = ['all', 'probes'] as const;

/** Ports that the node may reach; each is a rule that every TCP packet passes. */
export const NODE_PORTS_MAX = 64;

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
    : [
        `${whose} ${NODE_TRAFFIC_ANNOTATION} is '${shown(value)}': wants one of ${NODE_TRAFFIC_VALUES.join(', ')}`,
      ];
}
