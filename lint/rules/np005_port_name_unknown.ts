/** NP005. */
import { counted, listed, nameOf, nearest, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { listenersOf } from './port_listeners.ts';

/** A port by a name that pods do not have. */
export const np005: Rule = {
  code: 'NP005',
  severity: 'error',
  title: 'port by a name that no pod, or not every pod, has',
  explanation: `A named port means the container port of that name and protocol at the pod that is connected to. Where a pod has none, the
rule admits nothing there, without any message.

It is an error where no pod has it, and info where some have it and others do not. At egress it looks at the pods that the peers of the
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
          const near = nearest(port, names);
          const there = names.length === 0 ? 'they name no port' : `they have ${listed(names)}`;
          const [only] = near;
          yield {
            object: linted.object,
            path,
            message: `${lead}: no pod has a ${protocol} port of this name; ${
              others.length > 0 ? `there it is ${listed(others)}` : there
            }`,
            ...(only === undefined || others.length > 0
              ? {}
              : {
                  fix: {
                    text: `port: ${only}`,
                    ...(near.length === 1 ? { edits: [{ kind: 'set', path, value: only }] } : {}),
                  },
                }),
          };
        }
      }
  },
};
