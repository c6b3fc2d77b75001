/**
 * The redirect as text: which packets TPROXY delivers to the sidecar, and how the app's answers on the app leg find
 * their way back. Pure; `redirect.ts` puts it into the kernel.
 */

import { translatedPorts } from '../../common/inbound_ports.ts';
import type { Family } from '../../native/index.ts';
import { familyOf } from '../../policy/index.ts';
import { APP_LEG_MARK } from '../kernel/index.ts';
import { hasDirect, PATH_CHAIN, type Paths, PROXY_CHAIN } from './paths.ts';

/** Leaves the other bits of a mark as they are. */
const MARK_MASK = 0xfff;

/**
 * Marks a client's connection whose SYN met a socket that has its very addresses and ports: it takes another way in. Only ever
 * on the connection, never on a packet: packets that come in with a mark break with `src_valid_mark`.
 */
const MET_MARK = 0x53a;

/**
 * Connection tracking knows app legs in a zone of their own, so that none is taken for the client's own connection from that
 * port. Only in the direction of the app: its answers have no mark yet, and are found in the usual zone.
 */
const APP_LEG_ZONE = 0x539;

/** Routing table that delivers marked packets locally; unused by the usual tables 253-255. */
const ROUTE_TABLE = 133;
/** Before the main table (32766). */
const RULE_PRIORITY = 32764;

/** What the rules depend on. Addresses are of either family; each family takes its own. */
export interface RedirectPlan {
  readonly inboundPort: number;
  readonly adminPort: number;
  readonly canaryPort: number;
  /** Which TCP ports go straight to the app; the gate has judged their handshakes. */
  readonly paths: Paths;
  /** The pod's own node: its traffic bypasses the sidecar, so that the kubelet's probes see the app itself. */
  readonly nodeIPs: readonly string[];
  /** Of that, only TCP to these ports; absent: all of it. */
  readonly nodePorts: readonly number[] | undefined;
}

/**
 * How much of the redirect a kernel can do; each includes the ones after it.
 *
 * - `all`: needs xt_socket, xt_CT with zones, xt_REDIRECT and nat.
 * - `listeners`: needs xt_socket. App legs and clients share the ports of an address: a client whose ports are in the range of
 *   the legs can lose connections.
 * - `plain`: each port accepts, also one on which nobody listens.
 */
export type RedirectScope = 'all' | 'listeners' | 'plain';

/** From the most to the least. */
export const REDIRECT_SCOPES: readonly RedirectScope[] = ['all', 'listeners', 'plain'];

/** A chain of ours and the rules in it, in order. */
export interface Chain {
  readonly table: 'raw' | 'mangle' | 'nat';
  readonly name: string;
  /** Built-in chain of the table that jumps to it; absent where another chain of ours leads to it. */
  readonly from?: 'PREROUTING' | 'INPUT' | 'OUTPUT';
  readonly rules: readonly string[];
}

/** In this order the tables are filled: the last one redirects. */
const TABLES = ['raw', 'nat', 'mangle'] as const;

/** The address that the listener of a family is on which TPROXY delivers to. */
export function listenerAddress(family: Family): string {
  return family === 6 ? '::1' : '127.0.0.1';
}

/** The chains of one family, in an order in which none leads to a later one. Source: iptables-extensions(8). */
export function chains(family: Family, plan: RedirectPlan, scope: RedirectScope = 'all'): readonly Chain[] {
  const [zones, listeners] = [scope === 'all', scope !== 'plain'];
  const mark = masked(APP_LEG_MARK);
  const tproxy = `-j TPROXY --on-port ${plan.inboundPort} --on-ip ${listenerAddress(family)} --tproxy-mark 0x0/0x0`;
  const nodeIPs = plan.nodeIPs.filter((address) => familyOf(address) === family);
  const toProxy = [
    ...(zones ? ['-p tcp -m conntrack --ctstate SNAT,DNAT -g SLUICE_MOVED'] : []),
    ...(listeners ? [`-p tcp -m tcp ${SYN} -g SLUICE_SYN`] : []),
    `-p tcp ${tproxy}`,
  ];
  const direct = hasDirect(plan.paths);
  return [
    ...(zones ? zoneChains(plan.inboundPort, tproxy) : []),
    ...(listeners ? [synChain(zones, tproxy)] : []),
    ...(direct ? pathChains(plan.paths, toProxy) : []),
    {
      table: 'mangle',
      name: 'SLUICE_IN',
      from: 'PREROUTING',
      rules: [
        // The canary: answered by the sidecar as long as this chain is in force.
        `-i lo -p tcp -m tcp --dport ${plan.canaryPort} ${tproxy}`,
        // The app leg: remember its mark, so that SLUICE_OUT finds it on the app's answers.
        `-i lo -m mark --mark ${mark} -j CONNMARK --save-mark --nfmask ${hex(MARK_MASK)} --ctmask ${hex(MARK_MASK)}`,
        // Localhost, the pod to itself, sidecar to app.
        '-i lo -j RETURN',
        // Strays outside any connection would make the app reset a flow it does not know.
        '-p tcp -m conntrack --ctstate INVALID -j DROP',
        // Answers to what the pod opened.
        '-m conntrack --ctdir REPLY -j RETURN',
        // Traffic from the pod's own node is always allowed, or what its probes need.
        ...nodeIPs.flatMap((address) => {
          const source = `-s ${address}/${family === 6 ? 128 : 32}`;
          return (
            plan.nodePorts?.map((port) => `${source} -p tcp -m tcp --dport ${port} -j RETURN`) ?? [
              `${source} -j RETURN`,
            ]
          );
        }),
        // Health and metrics of the sidecar itself: its listener is the only transparent one on that port. An app that has taken it
        // gets nothing past the proxy, where there is no gate to say so.
        `-p tcp -m tcp --dport ${plan.adminPort}${listeners ? ' -m socket --transparent --nowildcard' : ''} -j RETURN`,
        ...(direct ? [`-p tcp -g ${PATH_CHAIN}`] : toProxy),
      ],
    },
    {
      table: 'mangle',
      name: 'SLUICE_OUT',
      from: 'OUTPUT',
      rules: [
        // The app answers the client's address: mark it, so that it is routed to lo and reaches the sidecar.
        `-m conntrack --ctdir REPLY -m connmark --mark ${mark} -j MARK --set-xmark ${mark}`,
      ],
    },
  ];
}

/** The ports that go straight to the app leave the chains here; the others go to the proxy. The sidecar reads them: `readPaths`. */
function pathChains({ usual, others }: Paths, toProxy: readonly string[]): readonly Chain[] {
  const own = (target: string): readonly string[] =>
    others.map((port) => `-p tcp -m tcp --dport ${port} ${target}`);
  if (usual === 'proxy')
    return [{ table: 'mangle', name: PATH_CHAIN, rules: [...own('-j RETURN'), ...toProxy] }];
  return [
    { table: 'mangle', name: PROXY_CHAIN, rules: toProxy },
    { table: 'mangle', name: PATH_CHAIN, rules: [...own(`-g ${PROXY_CHAIN}`), '-j RETURN'] },
  ];
}

/** What opens a TCP connection: `--syn`, as the tools print it. */
const SYN = '--tcp-flags FIN,SYN,RST,ACK SYN';

/**
 * The first packet of a connection goes to the sidecar only where somebody listens; otherwise the kernel refuses it. A packet that
 * `-g` sent to a chain does not come back from there: at the end of that chain it bypasses the sidecar.
 */
function synChain(zones: boolean, tproxy: string): Chain {
  return {
    table: 'mangle',
    name: 'SLUICE_SYN',
    rules: [
      // It meets a socket with its own addresses and ports, to which TPROXY would deliver it: the app's socket of a leg, or
      // what an earlier connection has left behind. Also a listener on one address of the pod, which looks the same.
      ...(zones ? ['-m conntrack --ctstate NEW -m socket -g SLUICE_MET'] : []),
      `-p tcp -m socket --nowildcard ${tproxy}`,
    ],
  };
}

/** `translatedPorts` as `--to-ports` has them. */
export function translatedRange(inboundPort: number): string {
  const ports = translatedPorts(inboundPort);
  return `${ports.at(0)}-${ports.at(-1)}`;
}

/** Keeps app legs and clients that use the same port apart. */
function zoneChains(inboundPort: number, tproxy: string): readonly Chain[] {
  const met = masked(MET_MARK);
  return [
    {
      table: 'raw',
      name: 'SLUICE_LEG',
      from: 'OUTPUT',
      // A table of address translation gives a leg another port where a client has the port that the sidecar took.
      rules: [`-o lo -m mark --mark ${masked(APP_LEG_MARK)} -j CT --zone-orig ${APP_LEG_ZONE}`],
    },
    {
      table: 'nat',
      name: 'SLUICE_MET',
      from: 'PREROUTING',
      // The first of these ports that has no connection from the client's port yet. With one port alone, the client's would be
      // translated as well where it has, but only after early demux: its SYN would go to the socket of the other connection.
      rules: [`-p tcp -m connmark --mark ${met} -j REDIRECT --to-ports ${translatedRange(inboundPort)}`],
    },
    { table: 'mangle', name: 'SLUICE_MET', rules: [`-j CONNMARK --set-xmark ${met}`] },
    {
      // Where they come out, as the translation, unlike TPROXY, asks nothing of the listener: while the sidecar is down an app
      // can have its ports.
      table: 'mangle',
      name: 'SLUICE_MET_IN',
      from: 'INPUT',
      rules: [
        `-p tcp -m tcp ${SYN} -m connmark --mark ${met} -m socket --transparent --nowildcard -j RETURN`,
        `-p tcp -m tcp ${SYN} -m connmark --mark ${met} -j DROP`,
      ],
    },
    {
      // Connections with an address or port that is translated in the pod. Most are those of SLUICE_MET, or have got another
      // source port on their way in: theirs is that of a leg which has just ended.
      table: 'mangle',
      name: 'SLUICE_MOVED',
      rules: [
        `-m connmark --mark ${met} -j RETURN`,
        // Repeated, it must not meet the app's listener behind the translation.
        `-p tcp -m tcp ${SYN} ${tproxy}`,
        // Rules of the pod's own.
        `-p tcp -m conntrack --ctstate DNAT ${tproxy}`,
      ],
    },
  ];
}

/**
 * Input of iptables-restore --noflush: declaring a chain empties it, so the text may be applied again.
 * @param unreached those that their built-in chain does not lead to yet; it leads to them first of all then
 */
export function restoreText(chainList: readonly Chain[], unreached: readonly Chain[] = []): string {
  return TABLES.flatMap((table) => {
    const own = chainList.filter((chain) => chain.table === table);
    if (own.length === 0) return [];
    return [
      `*${table}`,
      ...own.map((chain) => `:${chain.name} - [0:0]`),
      ...own.flatMap((chain) => chain.rules.map((rule) => `-A ${chain.name} ${rule}`)),
      ...unreached
        .filter((chain) => chain.table === table)
        .flatMap(({ from, name }) => (from === undefined ? [] : [`-I ${from} -j ${name}`])),
      'COMMIT',
      '',
    ];
  }).join('\n');
}

/** Arguments of `ip rule add` and of `ip route replace`: marked packets are delivered locally. */
export const POLICY_RULE: readonly string[] = [
  'fwmark',
  masked(APP_LEG_MARK),
  'pref',
  String(RULE_PRIORITY),
  'lookup',
  String(ROUTE_TABLE),
];
export const LOCAL_ROUTE: readonly string[] = ['local', 'default', 'dev', 'lo', 'table', String(ROUTE_TABLE)];

/** `ip rule show` arguments that list the rule, and `ip route show` arguments that list the route. */
export const SHOW_RULE: readonly string[] = ['pref', String(RULE_PRIORITY)];
export const SHOW_ROUTE: readonly string[] = ['table', String(ROUTE_TABLE)];

function masked(mark: number): string {
  return `${hex(mark)}/${hex(MARK_MASK)}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
