/** A rule with the one value replaced that means nobody and keeps it from admitting a flow. */
import { fieldsOf, isRecord, itemsOf } from '../../common/shape.ts';
import {
  type Cluster,
  type FailedTest,
  type Flow,
  type Labels,
  matchesSelector,
  NAMESPACE_NAME_LABEL,
  namespaceLabels,
  objectKey,
  ownEntry,
  type Pod,
  type RuleMiss,
} from '../../policy/index.ts';

type Json = Readonly<Record<string, unknown>>;

/** Who is there: what none of them has means nobody, and may be replaced without loss. */
export interface Present {
  /** Those of templates among them. */
  readonly pods: readonly Pod[];
  readonly cluster: Cluster;
}

/**
 * The rule as it is written, with another value in place of a port name, a label or a namespace that nobody has.
 * @returns undefined where what is written means somebody: then it stays, and something may be added
 */
export function replacedValue(
  raw: Json,
  miss: RuleMiss,
  test: FailedTest,
  flow: Flow,
  present: Present,
): Json | undefined {
  if (test.failed === 'port') return withPort(raw, flow, present);
  const other = miss.direction === 'ingress' ? flow.source : flow.destination;
  if (other.kind !== 'pod' || other.pod.hostNetwork) return undefined;
  const field = miss.direction === 'ingress' ? 'from' : 'to';
  const peers = itemsOf(raw[field]);
  const peer = peers[miss.peer ?? 0];
  if (!isRecord(peer)) return undefined;
  const changed = changedPeer(peer, miss, test, other.pod, present);
  return changed && { ...raw, [field]: peers.with(miss.peer ?? 0, changed) };
}

function changedPeer(
  peer: Json,
  miss: RuleMiss,
  { failed, key }: FailedTest,
  pod: Pod,
  { pods, cluster }: Present,
): Json | undefined {
  const ownName = { [NAMESPACE_NAME_LABEL]: pod.namespace };
  if (failed === 'pod' && key !== undefined) {
    const changed = changedSelector(
      peer.podSelector,
      key,
      key,
      pod.labels,
      pods.map(({ labels }) => labels),
    );
    return changed && { ...peer, podSelector: changed };
  }
  if (failed !== 'namespace') return undefined;
  if (key === undefined)
    // A podSelector alone means pods of the policy's own namespace.
    return meansNobody(miss, pods, cluster)
      ? { namespaceSelector: { matchLabels: ownName }, ...peer }
      : undefined;
  const names = new Set([...cluster.namespaces.keys(), ...pods.map(({ namespace }) => namespace)]);
  const labels = [...names].map((name) => namespaceLabels(cluster, name));
  const changed = changedSelector(peer.namespaceSelector, key, NAMESPACE_NAME_LABEL, ownName, labels);
  return changed && { ...peer, namespaceSelector: changed };
}

/** @param to the key that the value is put under; another one than `key` only in place of a whole label */
function changedSelector(
  selector: unknown,
  key: string,
  to: string,
  labels: Labels,
  present: readonly Labels[],
): Json | undefined {
  const value = ownEntry(labels, to);
  if (value === undefined) return undefined;
  const isNobodys = (written: unknown) => !present.some((one) => ownEntry(one, key) === written);
  const { matchLabels, matchExpressions, ...rest } = fieldsOf(selector);
  const { [key]: _, ...others } = fieldsOf(matchLabels);
  const written = ownEntry(fieldsOf(matchLabels), key);
  if (written !== undefined)
    return isNobodys(written)
      ? {
          ...rest,
          matchLabels: { ...others, [to]: value },
          ...(matchExpressions === undefined ? {} : { matchExpressions }),
        }
      : undefined;
  const expressions = itemsOf(matchExpressions);
  const at = expressions.findIndex((one) => fieldsOf(one).key === key && fieldsOf(one).operator === 'In');
  const expression = fieldsOf(expressions[at]);
  const values = itemsOf(expression.values);
  const [nobodys, ...more] = values.filter(isNobodys);
  if (at === -1 || nobodys === undefined || more.length > 0 || to !== key) return undefined;
  const mended = { ...expression, values: values.map((one) => (one === nobodys ? value : one)) };
  return {
    ...rest,
    ...(matchLabels === undefined ? {} : { matchLabels }),
    matchExpressions: expressions.with(at, mended),
  };
}

function meansNobody(
  { policy, direction, rule, peer }: RuleMiss,
  pods: readonly Pod[],
  cluster: Cluster,
): boolean {
  const rules = cluster.policies.get(objectKey(policy.namespace, policy.name))?.[direction] ?? [];
  const found = rules.find(({ index }, at) => (index ?? at) === rule)?.peers[peer ?? 0];
  if (found?.kind !== 'pods' || found.podSelector === undefined) return false;
  const { podSelector } = found;
  return !pods.some((pod) => pod.namespace === policy.namespace && matchesSelector(podSelector, pod.labels));
}

/** In place of a port name that no pod of the destination's namespace has. */
function withPort(raw: Json, { destination, protocol, port }: Flow, { pods }: Present): Json | undefined {
  if (destination.kind !== 'pod') return undefined;
  const { namespace, ports: own } = destination.pod;
  const declared = pods.filter((pod) => pod.namespace === namespace).flatMap((pod) => pod.ports);
  const ports = itemsOf(raw.ports);
  const isNobodys = (item: unknown) => {
    const { port: name, protocol: itsProtocol = 'TCP' } = fieldsOf(item);
    return (
      typeof name === 'string' &&
      itsProtocol === protocol &&
      !declared.some((one) => one.name === name && one.protocol === protocol)
    );
  };
  const at = ports.findIndex(isNobodys);
  if (at === -1 || at !== ports.findLastIndex(isNobodys)) return undefined;
  const name = own.find((one) => one.port === port && one.protocol === protocol)?.name;
  return { ...raw, ports: ports.with(at, { ...fieldsOf(ports[at]), port: name ?? port }) };
}
