/** NP006. */
import { counted, listed, nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { isEverybody, meansOthers } from './peers.ts';

/** Another namespace reaches every port. */
export const np006: Rule = {
  code: 'NP006',
  severity: 'warning',
  title: 'pods of another namespace are admitted to every port',
  explanation: `An ingress rule without ports admits its peers to all ports of all protocols. For pods of other namespaces that is seldom
meant: a scraper needs the port of the metrics, an ingress controller that of HTTP. The database, the debugger and what is added later
are open too.`,
  remedy: 'List the ports that are needed.',
  *check(model) {
    for (const linted of model.policies)
      for (const { direction, rule, path, peersField } of rulesIn(linted)) {
        if (direction !== 'ingress' || rule.ports.length > 0) continue;
        // Of everybody NP007 says it.
        if (rule.peers.some(isEverybody)) continue;
        const at = rule.peers.findIndex((peer) => meansOthers(peer, linted.policy.namespace));
        if (at === -1) continue;
        const selected = model.selected(linted.policy);
        const whom =
          selected.length === 0
            ? ''
            : ` of ${counted(selected.length, 'workload')} (${listed(selected.map(({ name }) => name))})`;
        yield {
          object: linted.object,
          path: [...path, peersField, at],
          message: `${nameOf(linted)}: another namespace reaches every port${whom}`,
        };
      }
  },
};
