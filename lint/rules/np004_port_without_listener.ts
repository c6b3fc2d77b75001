/** NP004. */
import { DNS_PORT, type NetworkPolicyPort, objectKey, type Protocol } from '../../policy/index.ts';
import type { FieldPath } from '../../sources/index.ts';
import type { Fix, Found } from '../finding.ts';
import {
  type LintedPolicy,
  type LintedRule,
  listed,
  type Model,
  nameOf,
  otherPorts,
  portText,
  rulesIn,
  type ServedPort,
  type Subject,
  servedPorts,
} from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { listenersOf } from './port_listeners.ts';

/** A numeric port on which nobody listens. */
export const np004: Rule = {
  code: 'NP004',
  severity: 'error',
  title: 'numeric port on which no pod listens, such as the port of a Service',
  explanation: `Policies see the port of the pod (targetPort), not the port of the Service that leads there. A rule with the Service's port admits
nothing, and the connection is denied.

It is an error where the port is that of a Service in front of the pods, and a warning where it is not. A pod may listen on ports that it
does not declare: so it says nothing of pods that declare no port, nor of a port that a Service or a probe names. At egress it looks at
the pods that the peers of the rule mean, where all of them are known.`,
  remedy: 'Name the port of the pod; by its name where it has one, so that the number may change.',
  *check(model) {
    for (const linted of model.policies)
      for (const rule of rulesIn(linted)) {
        const listeners = listenersOf(model, linted, rule);
        if (listeners === undefined) continue;
        for (const at of rule.rule.ports.keys()) {
          const found = findPort(model, linted, rule, at, listeners);
          if (found !== undefined) yield found;
        }
      }
  },
};

function findPort(
  model: Model,
  linted: LintedPolicy,
  { rule, direction, path: around }: LintedRule,
  at: number,
  listeners: readonly Subject[],
): Found | undefined {
  const { port, endPort, protocol = 'TCP' }: Partial<NetworkPolicyPort> = rule.ports[at] ?? {};
  const path = [...around, 'ports', at, 'port'];
  if (typeof port !== 'number') return undefined;
  const isMeant = (number: number) => number >= port && number <= (endPort ?? port);
  if (listeners.some((subject) => listens(model, subject, protocol, isMeant))) return undefined;
  const served = listeners.flatMap((subject) =>
    servedPorts(model, subject).filter((one) => one.protocol === protocol && one.port === port),
  );
  const [first] = served;
  const { object } = linted;
  const wanted = `${nameOf(linted)}: port ${port}${endPort === undefined ? '' : `-${endPort}`}`;
  if (first !== undefined && endPort === undefined)
    return {
      object,
      path,
      message: `${wanted}: no pod listens there; ${describe(linted, first)}`,
      fix: fixOf(path, served, listeners),
    };
  // Of DNS NP008 says it.
  if (direction === 'egress' && port === DNS_PORT) return undefined;
  // A pod that declares nothing may listen anywhere.
  if (listeners.some(({ pod }) => pod.ports.length === 0)) return undefined;
  const declared = listeners.flatMap(({ pod }) => pod.ports.map(portText));
  return {
    object,
    path,
    severity: 'warning',
    message: `${wanted}: ${listed(
      listeners.map(({ name }) => name),
      2,
    )} declare${listeners.length === 1 ? 's' : ''} ${listed(declared)} only`,
  };
}

function listens(
  model: Model,
  subject: Subject,
  protocol: Protocol,
  isMeant: (port: number) => boolean,
): boolean {
  return (
    subject.pod.ports.some((one) => one.protocol === protocol && isMeant(one.port)) ||
    [...otherPorts(model, subject)].some(isMeant)
  );
}

function describe({ policy }: LintedPolicy, { service, port, target, name }: ServedPort): string {
  const { namespace, name: called } = service.service;
  const shown = namespace === policy.namespace ? called : objectKey(namespace, called);
  return `Service ${shown} maps ${port} to ${name === undefined ? target : `${name} (${target})`}`;
}

/** The name where all listeners have it, else the number. */
function fixOf(path: FieldPath, served: readonly ServedPort[], listeners: readonly Subject[]): Fix {
  const targets = new Set(served.map(({ target }) => target));
  const [{ name, target, protocol } = { name: undefined, target: 0, protocol: 'TCP' as const }] = served;
  const isNamed =
    name !== undefined &&
    listeners.every(({ pod }) => pod.ports.some((one) => one.name === name && one.protocol === protocol));
  const value = isNamed ? name : target;
  return { text: `port: ${value}`, ...(targets.size === 1 ? { edits: [{ kind: 'set', path, value }] } : {}) };
}
