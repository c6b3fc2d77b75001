/** NP005. */
import type { NetworkPolicyRule, Protocol } from '../../policy/index.ts';
import {
  counted,
  listed,
  type Model,
  nameOf,
  nearest,
  rulesIn,
  type Subject,
  servedPorts,
} from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { listenersOf } from './port_listeners.ts';

/** A port by a name that pods do not have. */
export const np005: Rule = {
  code: 'NP005',
  severity: 'error',
  title: 'port by a name that no pod, or not every pod, has',
  explanation: `A named port means the container port of that name and protocol at the pod that is connected to. Where a pod has none, the
rule admits nothing there, without any message.

It is an error where no pod has it, and info where some have it and others do not; a rule with several names of which each pod has one
at least is fine. At egress it looks at the pods that the peers of the
rule mean, where all of them are known.`,
  remedy: 'Use a name that the pods have, or give the container port this name.',
  *check(model) {
    for (const linted of model.policies)
      for (const rule of rulesIn(linted)) {
        const listeners = listenersOf(model, linted, rule);
        if (listeners === undefined) continue;
        for (const [at, { port, protocol }] of rule.rule.ports.entries()) {
          if (typeof port !== 'string') continue;
          const without = listeners.filter(
            ({ pod }) => !pod.ports.some((one) => one.name === port && one.protocol === protocol),
          );
          if (without.length === 0) continue;
          const path = [...rule.path, 'ports', at, 'port'];
          const lead = `${nameOf(linted)}: port ${port}`;
          if (without.length < listeners.length) {
            // One rule for several workloads, each of which has a name of its own in it.
            if (listeners.every((subject) => hasOneOf(subject, rule.rule.ports))) continue;
            const names = listed(without.map(({ name }) => name));
            const message = `${lead}: ${without.length} of ${counted(listeners.length, 'workload')} have no such ${protocol} port: ${names}`;
            yield { object: linted.object, path, severity: 'info', message };
            continue;
          }
          const declared = listeners.flatMap(({ pod }) => pod.ports);
          const names = declared.flatMap((one) =>
            one.name !== undefined && one.protocol === protocol ? [one.name] : [],
          );
          const others = declared.filter((one) => one.name === port).map((one) => one.protocol);
          const meant = meantName(model, listeners, port, protocol);
          const there = names.length === 0 ? 'they name no port' : `they have ${listed(names)}`;
          yield {
            object: linted.object,
            path,
            message: `${lead}: no pod has a ${protocol} port of this name; ${
              others.length > 0 ? `there it is ${listed(others)}` : there
            }`,
            ...(meant === undefined || others.length > 0
              ? {}
              : {
                  fix: {
                    text: `port: ${meant.name}`,
                    ...(meant.isClear ? { edits: [{ kind: 'set', path, value: meant.name }] } : {}),
                  },
                }),
          };
        }
      }
  },
};

function hasOneOf({ pod }: Subject, ports: NetworkPolicyRule['ports']): boolean {
  return ports.some(
    ({ port, protocol }) =>
      typeof port === 'string' && pod.ports.some((one) => one.name === port && one.protocol === protocol),
  );
}

/** A name that all pods have: one like it, the one that Services lead to, or the only one. */
function meantName(
  model: Model,
  listeners: readonly Subject[],
  wanted: string,
  protocol: Protocol,
): { readonly name: string; readonly isClear: boolean } | undefined {
  const namesOf = ({ pod }: Subject) =>
    pod.ports.flatMap(({ name, protocol: own }) => (name !== undefined && own === protocol ? [name] : []));
  const near = nearest(wanted, listeners.flatMap(namesOf));
  const [like] = near;
  if (like !== undefined) return { name: like, isClear: near.length === 1 };
  const [first, ...others] = listeners.map((subject) => new Set(namesOf(subject)));
  const shared = [...(first ?? [])].filter((name) => others.every((names) => names.has(name)));
  const served = new Set(
    listeners.flatMap((subject) =>
      servedPorts(model, subject)
        .filter((one) => one.protocol === protocol)
        .map(({ name, target }) => name ?? target),
    ),
  );
  const [behind, ...rest] = served;
  const ofService = shared.find((name) => name === behind);
  if (ofService !== undefined && rest.length === 0) return { name: ofService, isClear: true };
  const [only, ...more] = shared;
  // That it is the only one does not make it what was meant.
  return only === undefined || more.length > 0 ? undefined : { name: only, isClear: false };
}
