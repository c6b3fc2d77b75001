/** What people forget most often: an isolated pod that may not ask for names. */

import type { Table, TablePort } from './table.ts';

const DNS_PORT = 53;

/**
 * Whether a pod is isolated for egress while no rule admits UDP/53 to anybody: names will not resolve. A sentence that
 * says so and names the policies, or `undefined`. A named port counts: it may be that of the name server.
 */
export function forgottenDns({ subject, egress }: Pick<Table, 'subject' | 'egress'>): string | undefined {
  if (egress.isolating.length === 0) return undefined;
  const admitted = egress.rules.some(({ ports }) => ports.length === 0 || ports.some(mayBeDns));
  if (admitted) return undefined;
  const policies = egress.isolating.map(({ namespace, name }) => `${namespace}/${name}`).join(', ');
  return `egress of ${subject.namespace}/${subject.name} is isolated by ${policies}, and no rule admits DNS (UDP/53): names do not resolve`;
}

function mayBeDns({ protocol, from, to }: TablePort): boolean {
  if (protocol !== 'UDP') return false;
  if (from === undefined) return true; // every port, or a named one
  return from <= DNS_PORT && DNS_PORT <= (to ?? from);
}
