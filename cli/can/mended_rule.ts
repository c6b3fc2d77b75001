/** A rule changed so that it admits a flow that it nearly admits. Whether it does, the engine says. */
import { fieldsOf, isRecord, itemsOf } from '../../common/shape.ts';
import {
  type FailedTest,
  type Flow,
  NAMESPACE_NAME_LABEL,
  type Pod,
  type RuleMiss,
} from '../../policy/index.ts';
import { isControllerLabel } from '../../sources/index.ts';
import { type Present, replacedValue } from './replaced_value.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * The rule with what looks like a slip put right; where one thing only is missing, with another value in place of one that nobody
 * has, else with a peer or a port more. Where that would open more ports, or a port for more peers, than was asked about, it stays
 * as it is, and a rule of its own follows it.
 * @param raw as it is written
 * @returns what takes its place; undefined where more is missing: to change the rule would be to write another one
 */
export function mendedRule(
  raw: Json,
  miss: RuleMiss,
  flow: Flow,
  present: Present,
): readonly Json[] | undefined {
  const peers = miss.direction === 'ingress' ? 'from' : 'to';
  const isSlip = miss.tests.every(({ meant }) => meant !== undefined);
  if (
    !isSlip &&
    miss.tests.length > 1 &&
    !miss.tests.every(({ failed }) => failed === 'namespace' || failed === 'pod')
  )
    return undefined;
  let rule: Json = structuredClone(raw);
  if (isSlip) {
    for (const test of miss.tests) rule = mended(rule, test, peers, miss.peer ?? 0, flow);
    return [rule];
  }
  const [test] = miss.tests;
  if (test === undefined) return undefined;
  const replaced = miss.tests.length === 1 ? replacedValue(raw, miss, test, flow, present) : undefined;
  if (replaced !== undefined) return [replaced];
  const written = itemsOf(rule[peers]);
  if (test.failed === 'port' || test.failed === 'protocol') {
    const port = portItem(flow);
    if (written.length === 0) return withRuleOfItsOwn(rule, peers, peerItem(miss, flow), port);
    const met = written[miss.peer ?? 0];
    if (written.length > 1 && met !== undefined) return withRuleOfItsOwn(rule, peers, met, port);
    return [{ ...rule, ports: [...itemsOf(rule.ports), port] }];
  }
  const peer = peerItem(miss, flow);
  if (peer !== undefined && isOnePort(rule.ports)) return [{ ...rule, [peers]: [...written, peer] }];
  return withRuleOfItsOwn(rule, peers, peer, portItem(flow));
}

/** The rule as it is, and after it one for this peer and this port only. */
function withRuleOfItsOwn(rule: Json, peers: string, peer: unknown, port: Json): readonly Json[] | undefined {
  return peer === undefined ? undefined : [rule, { [peers]: [peer], ports: [port] }];
}

function mended(rule: Json, test: FailedTest, peers: string, peer: number, flow: Flow): Json {
  const { meant, key, failed } = test;
  if (meant?.kind === 'target-port')
    return {
      ...rule,
      ports: itemsOf(rule.ports).map((item) =>
        fieldsOf(item).port === flow.servicePort ? portItem(flow) : item,
      ),
    };
  if (meant === undefined || key === undefined) return rule;
  const selector = failed === 'pod' ? 'podSelector' : 'namespaceSelector';
  const changed = itemsOf(rule[peers]).map((item, at) => {
    if (at !== peer || !isRecord(item)) return item;
    const { matchLabels, matchExpressions, ...rest } = fieldsOf(item[selector]);
    const { [key]: written, ...labels } = fieldsOf(matchLabels);
    const expressions = itemsOf(matchExpressions).filter((expression) => fieldsOf(expression).key !== key);
    const value =
      written ??
      itemsOf(fieldsOf(itemsOf(matchExpressions).find((one) => fieldsOf(one).key === key)).values)[0];
    const label = meant.kind === 'value' ? { [key]: meant.value } : { [meant.key]: value };
    return {
      ...item,
      [selector]: {
        ...rest,
        matchLabels: { ...labels, ...label },
        ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
      },
    };
  });
  return { ...rule, [peers]: changed };
}

/** Whether ports are one only: the one that was asked about, since no test of ports failed. */
function isOnePort(ports: unknown): boolean {
  const [only, ...others] = itemsOf(ports);
  const { port, endPort } = fieldsOf(only);
  return others.length === 0 && port !== undefined && endPort === undefined;
}

/** The port by its name where the destination has one for it: then it stays right when the number changes. */
function portItem({ destination, protocol, port }: Flow): Json {
  const declared =
    destination.kind === 'pod'
      ? destination.pod.ports.find((own) => own.port === port && own.protocol === protocol)
      : undefined;
  return { ...(protocol === 'TCP' ? {} : { protocol }), port: declared?.name ?? port };
}

/** The other end as a peer: by its labels, or its address. Undefined where only its address tells it from all others. */
function peerItem({ direction, policy }: RuleMiss, { source, destination }: Flow): Json | undefined {
  const other = direction === 'ingress' ? source : destination;
  if (other.kind === 'address')
    return { ipBlock: { cidr: `${other.address}/${other.address.includes(':') ? 128 : 32}` } };
  const labels = ownLabels(other.pod);
  if (labels === undefined || other.pod.hostNetwork) return undefined;
  const { namespace } = other.pod;
  return {
    ...(namespace === policy.namespace
      ? {}
      : { namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: namespace } } }),
    podSelector: { matchLabels: labels },
  };
}

function ownLabels({ labels }: Pod): Json | undefined {
  const own = Object.entries(labels).filter(([key]) => !isControllerLabel(key));
  return own.length === 0 ? undefined : Object.fromEntries(own);
}
