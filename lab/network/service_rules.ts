/**
 * What makes a lab's nodes serve Services: an nftables table in each node's namespace, as kube-proxy keeps one. New
 * connections to a virtual port go to its ready backends in turn; where there is none they are refused. Session
 * affinity is ignored, and a UDP flow that goes on stays with its backend even when that is no longer one.
 */

import { familyOf } from '../../common/net.ts';
import type { Cluster, VirtualPort } from '../../policy/index.ts';
import { readVirtualKey, virtualPorts } from '../../policy/index.ts';
import { gatewayOf } from './network_plan.ts';
import type { LabNode } from './topology.ts';

/** The lab's table; a sidecar's gate is another one, in another namespace. */
const TABLE = 'inet sluice_lab_services';

/** A virtual port, taken apart for rules. */
interface Served {
  /** nft's word for the family: of matches and of `dnat`. */
  readonly family: 'ip' | 'ip6';
  /** The test for its packets. */
  readonly match: string;
  readonly backends: VirtualPort['backends'];
}

/** The input of `nft -f` that makes a node serve the cluster's Services, and nothing else any more. One transaction. */
export function serviceRules(cluster: Cluster, node: LabNode): string {
  const all = [...virtualPorts(cluster)].map(([key, port]) => servedPort(key, port));
  const live = all.filter(({ backends }) => backends.length > 0);
  const dead = all.filter(({ backends }) => backends.length === 0);
  return `table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
  chain services {
${lines(live.map(({ family, match, backends }) => `${match} dnat ${family} to ${inTurn(backends)}`))}
  }
  chain from_pods {
    type nat hook prerouting priority dstnat
    jump services
  }
  chain from_node {
    type nat hook output priority -100
    jump services
  }
  chain hairpin {
    type nat hook postrouting priority srcnat
${lines((['ip', 'ip6'] as const).flatMap((family) => hairpinRule(family, live, node)))}
  }
  chain nobody {
${lines(dead.map(({ match }) => `${match} reject`))}
  }
  chain nobody_from_pods {
    type filter hook forward priority filter
    jump nobody
  }
  chain nobody_from_node {
    type filter hook output priority filter
    jump nobody
  }
}
`;
}

function servedPort(key: string, { backends }: VirtualPort): Served {
  const { address, protocol, port } = readVirtualKey(key);
  const family = familyOf(address) === 6 ? 'ip6' : 'ip';
  const match = `${family} daddr ${address} ${protocol.toLowerCase()} dport ${port}`;
  return { family, match, backends };
}

function inTurn(backends: Served['backends']): string {
  const choices = backends.map(({ address, port }, index) => `${index} : ${address} . ${port}`);
  return `numgen inc mod ${backends.length} map { ${choices.join(', ')} }`;
}

/** A pod that reaches itself would drop packets from its own address: they come from the node's instead. */
function hairpinRule(family: Served['family'], live: readonly Served[], node: LabNode): string[] {
  const own = live.filter((served) => served.family === family);
  const addresses = new Set(own.flatMap(({ backends }) => backends.map(({ address }) => address)));
  if (addresses.size === 0) return [];
  const pairs = [...addresses].map((address) => `${address} . ${address}`);
  const source = gatewayOf(family === 'ip6' ? 6 : 4, node);
  return [
    `ct status dnat ${family} saddr . ${family} daddr { ${pairs.join(', ')} } snat ${family} to ${source}`,
  ];
}

function lines(rules: readonly string[]): string {
  return rules.map((rule) => `    ${rule}`).join('\n');
}
