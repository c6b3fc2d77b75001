/** NP007. */
import { nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { isEverybody } from './peers.ts';

/** A rule that restricts nothing. */
export const np007: Rule = {
  code: 'NP007',
  severity: 'warning',
  title: 'rule admits everybody on every port',
  explanation: `A rule without peers and ports, or with all pods or all addresses as peers and without ports, admits everything: the
policy isolates its pods and opens them again, and no other policy can narrow that, because policies only add.

At egress it is info: to be open to the outside on purpose is common.`,
  remedy: 'Name the peers or the ports. If it is meant, suppress the finding and say why.',
  *check(model) {
    for (const linted of model.policies)
      for (const { direction, rule, path, peersField } of rulesIn(linted)) {
        if (rule.ports.length > 0) continue;
        const at = rule.peers.findIndex(isEverybody);
        if (rule.peers.length > 0 && at === -1) continue;
        yield {
          object: linted.object,
          path: at === -1 ? path : [...path, peersField, at],
          ...(direction === 'egress' ? { severity: 'info' } : {}),
          message: `${nameOf(linted)}: ${direction} ${
            direction === 'ingress' ? 'from everybody on' : 'to everybody on'
          } every port`,
        };
      }
  },
};
