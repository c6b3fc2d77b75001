/**
 * Services through which an outsider reaches isolated pods: a node that takes the connection sends it on under its own
 * address, which a pod of that node always lets in. Source: core v1 `ServiceSpec.externalTrafficPolicy`.
 */

import { firstFew } from '../../common/first_few.ts';
import { fieldsOf } from '../../common/shape.ts';
import { NODE_TRAFFIC_ANNOTATION, parseAdmittedPod, podProbePorts } from '../../injector/admission/index.ts';
import { isolatingPolicies, type Labels, type NetworkPolicy } from '../../policy/index.ts';
import { type Finding, shellWord, warning } from './finding.ts';
import { type CheckedNamespace, type CheckedPod, metadataOf } from './namespace_check.ts';
import { workloadSubject } from './workload.ts';

/** An object of which only a few fields matter. */
type Json = Readonly<Record<string, unknown>>;

/** Pods that one finding names; more are only counted. */
const PODS_NAMED = 3;

/**
 * @param services of the namespace, as the API has them
 * @param policies of the namespace
 */
export function checkServices(
  namespace: CheckedNamespace,
  pods: readonly CheckedPod[],
  services: readonly unknown[],
  policies: readonly NetworkPolicy[],
): readonly Finding[] {
  return services.flatMap((service) => checkService(namespace, pods, fieldsOf(service), policies));
}

function checkService(
  namespace: CheckedNamespace,
  pods: readonly CheckedPod[],
  service: Json,
  policies: readonly NetworkPolicy[],
): readonly Finding[] {
  const spec = fieldsOf(service.spec);
  const way = wayIn(spec);
  const selector = Object.entries(fieldsOf(spec.selector));
  if (way === undefined || selector.length === 0) return [];
  const reached = pods.flatMap((pod) => {
    const { labels, annotations } = metadataOf(pod);
    if (!selector.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)) return [];
    if (isolatingPolicies(policies, { namespace: namespace.name, labels }, 'ingress').length === 0) return [];
    const narrowed = [annotations, namespace.annotations].some(isNarrowed);
    const ports = openPorts(pod, spec, narrowed);
    return ports.length === 0 ? [] : [{ subject: workloadSubject(pod.workload), ports, narrowed }];
  });
  if (reached.length === 0) return [];
  const ports = [...new Set(reached.flatMap((pod) => pod.ports))].join(', ');
  const subjects = [...new Set(reached.map(({ subject }) => subject))];
  const name = String(fieldsOf(service.metadata).name);
  const narrowed = reached.every((pod) => pod.narrowed);
  return [
    warning(
      'CK402',
      `service ${namespace.name}/${name}`,
      `${way}: outsiders reach ${firstFew(subjects, PODS_NAMED)} on ${ports}, even where policy denies it: the node sends their ` +
        'connections on under its own address, which is always let in. Set externalTrafficPolicy: Local' +
        `${narrowed ? ', or give the probes another port' : `, or annotate the namespace with ${NODE_TRAFFIC_ANNOTATION}=probes`}`,
      `kubectl patch service ${shellWord(name)} -n ${shellWord(namespace.name)} -p '{"spec":{"externalTrafficPolicy":"Local"}}'`,
    ),
  ];
}

/** How connections from outside come in under the node's address; undefined where they do not. */
function wayIn(spec: Json): string | undefined {
  if (spec.externalTrafficPolicy === 'Local') return undefined;
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer')
    return `${spec.type} with externalTrafficPolicy: Cluster`;
  return Array.isArray(spec.externalIPs) && spec.externalIPs.length > 0 ? 'has externalIPs' : undefined;
}

/** The ports of a pod that a Service leads to and that its node reaches: all, or those that its probes use. */
function openPorts({ object }: CheckedPod, spec: Json, narrowed: boolean): readonly string[] {
  const parsed = parseAdmittedPod({ spec: {}, ...fieldsOf(object), kind: 'Pod', apiVersion: 'v1' });
  const probed = parsed.ok ? podProbePorts(parsed.object) : [];
  const { containers } = fieldsOf(fieldsOf(object).spec);
  const declared = (Array.isArray(containers) ? containers : []).flatMap((container) => {
    const { ports } = fieldsOf(container);
    return Array.isArray(ports) ? ports.map(fieldsOf) : [];
  });
  return (Array.isArray(spec.ports) ? spec.ports : [])
    .map(fieldsOf)
    .flatMap(({ protocol = 'TCP', port, targetPort = port }) => {
      const found =
        typeof targetPort === 'string'
          ? declared.find(({ name }) => name === targetPort)?.containerPort
          : targetPort;
      const number = found ?? targetPort;
      const open = !narrowed || (protocol === 'TCP' && probed.includes(Number(number)));
      return open ? [`${String(protocol)}/${String(number)}`] : [];
    });
}

function isNarrowed(annotations: Labels): boolean {
  return annotations[NODE_TRAFFIC_ANNOTATION] === 'probes';
}
