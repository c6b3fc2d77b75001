/**
 * The redirect as text: which packets TPROXY delivers to the sidecar, and how the app's answers on the app leg find
 * their way back. Pure; `redirect.ts` puts it into the kernel.
 */
import type { Family } from '../../native/addon.ts';

/**
 * Marks the app leg: set on the sidecar's socket, saved to the connection, restored on the app's answers.
 * Any value other meshes and kube-proxy (0x4000, 0x8000) leave alone; the mask keeps their bits.
 */
export const APP_LEG_MARK = 0x539;
const MARK_MASK = 0xfff;

/** Routing table that delivers marked packets locally; unused by the usual tables 253-255. */
const ROUTE_TABLE = 133;
/** Before the main table (32766). */
const RULE_PRIORITY = 32764;

/** What the rules depend on. Addresses are of either family; each family takes its own. */
export interface RedirectPlan {
  readonly inboundPort: number;
  readonly adminPort: number;
  readonly canaryPort: number;
  /** TCP ports that go straight to the app; the gate has judged their handshakes. */
  readonly excludedPorts: readonly number[];
  /** The pod's own node: its traffic bypasses the sidecar, so that the kubelet's probes see the app itself. */
  readonly nodeIPs: readonly string[];
  /** Of that, only TCP to these ports; absent: all of it. */
  readonly nodePorts: readonly number[] | undefined;
}

/** A chain of ours and the rules in it, in order. */
export interface Chain {
  readonly name: string;
  /** Built-in chain of the mangle table that jumps to it. */
  readonly from: 'PREROUTING' | 'OUTPUT';
  readonly rules: readonly string[];
}

/** The address the listener of a family is on. */
export function listenerAddress(family: Family): string {
  return family === 6 ? '::1' : '127.0.0.1';
}

/** The chains of one family's mangle table. Source: iptables-extensions(8). */
export function chains(family: Family, plan: RedirectPlan): readonly Chain[] {
  const mark = `${hex(APP_LEG_MARK)}/${hex(MARK_MASK)}`;
  const tproxy = `-j TPROXY --on-ip ${listenerAddress(family)} --on-port ${plan.inboundPort} --tproxy-mark 0x0/0x0`;
  const nodeIPs = plan.nodeIPs.filter((address) => address.includes(':') === (family === 6));
  return [
    {
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
        // Health and metrics of the sidecar itself.
        `-p tcp -m tcp --dport ${plan.adminPort} -j RETURN`,
        ...plan.excludedPorts.map((port) => `-p tcp -m tcp --dport ${port} -j RETURN`),
        `-p tcp ${tproxy}`,
      ],
    },
    {
      name: 'SLUICE_OUT',
      from: 'OUTPUT',
      rules: [
        // The app answers the client's address: mark it, so that it is routed to lo and reaches the sidecar.
        `-m conntrack --ctdir REPLY -m connmark --mark ${mark} -j MARK --set-xmark ${mark}`,
      ],
    },
  ];
}

/** Input of iptables-restore --noflush: declaring a chain empties it, so the text may be applied again. */
export function restoreText(chainList: readonly Chain[]): string {
  return [
    '*mangle',
    ...chainList.map((chain) => `:${chain.name} - [0:0]`),
    ...chainList.flatMap((chain) => chain.rules.map((rule) => `-A ${chain.name} ${rule}`)),
    'COMMIT',
    '',
  ].join('\n');
}

/** Arguments of `ip rule add` and of `ip route replace`: marked packets are delivered locally. */
export const POLICY_RULE: readonly string[] = [
  'fwmark',
  `${hex(APP_LEG_MARK)}/${hex(MARK_MASK)}`,
  'pref',
  String(RULE_PRIORITY),
  'lookup',
  String(ROUTE_TABLE),
];
export const LOCAL_ROUTE: readonly string[] = ['local', 'default', 'dev', 'lo', 'table', String(ROUTE_TABLE)];

/** `ip rule show` arguments that list the rule, and `ip route show` arguments that list the route. */
export const SHOW_RULE: readonly string[] = ['pref', String(RULE_PRIORITY)];
export const SHOW_ROUTE: readonly string[] = ['table', String(ROUTE_TABLE)];

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
