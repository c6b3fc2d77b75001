/** NP022. */
import { fieldsOf, isRecord } from '../../common/shape.ts';
import { podTemplate } from '../../sources/index.ts';
import { nameOf, rulesIn } from '../model/index.ts';
import type { Rule } from '../rule.ts';

/** Expectations of protocols that policies do not name. */
export const np022: Rule = {
  code: 'NP022',
  severity: 'info',
  title: 'what other protocols than TCP and UDP get',
  explanation: `Policies name TCP, UDP and SCTP, and nothing else. A rule that lists every port of every protocol does not admit ICMP: no ports
at all is what admits "everything", and whether that includes ICMP is left to the enforcer. To an isolated pod Sluice drops ICMP echo and other
protocols unless SLUICE_OTHER_PROTOCOLS says otherwise. SCTP is enforced by Sluice; some other enforcers pass it unseen.

It is found where a rule names SCTP while no pod that it is about has an SCTP port, and where a rule lists all ports of TCP, UDP and SCTP.`,
  remedy: 'Leave ports out where everything is meant; do not rely on ping to isolated pods.',
  *check(model) {
    for (const linted of model.policies)
      for (const { rule, path, direction } of rulesIn(linted)) {
        const whole = new Set(
          rule.ports.flatMap(({ protocol, port }) => (port === undefined ? [protocol] : [])),
        );
        if (whole.size > 1 && whole.has('SCTP')) {
          yield {
            object: linted.object,
            path: [...path, 'ports'],
            message: `${nameOf(linted)}: all ports of ${[...whole].join(', ')} are not everything: ICMP is not among them`,
          };
          continue;
        }
        const at = rule.ports.findIndex(({ protocol }) => protocol === 'SCTP');
        const selected = model.selected(linted.policy);
        if (at === -1 || direction === 'egress' || selected.length === 0) continue;
        const hasSctp = selected.some(({ pod }) => pod.ports.some(({ protocol }) => protocol === 'SCTP'));
        if (hasSctp || selected.some(({ raw }) => !declaresPorts(raw))) continue;
        yield {
          object: linted.object,
          path: [...path, 'ports', at, 'protocol'],
          message: `${nameOf(linted)}: names SCTP, and no selected pod has an SCTP port`,
        };
      }
  },
};

function declaresPorts(raw: Readonly<Record<string, unknown>>): boolean {
  const { containers } = fieldsOf((podTemplate(raw) ?? raw).spec);
  return Array.isArray(containers) && containers.filter(isRecord).some(({ ports }) => Array.isArray(ports));
}
