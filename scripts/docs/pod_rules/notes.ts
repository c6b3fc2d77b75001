/** One short sentence for each chain and each rule, in the order in which a packet meets them. */

/** What a chain is for, and what its rules do. */
export interface ChainNote {
  /** The chains that it is about: those of both directions have one note. */
  readonly chains: RegExp;
  readonly about: string;
  /** The first that matches a rule explains it. */
  readonly rules: readonly (readonly [rule: RegExp, does: string])[];
}

const COUNTED: ChainNote['rules'][number] = [/^update @(in|out)_dropped/, 'counts the packet by protocol'];
const DROPPED: ChainNote['rules'][number] = [/^drop$/, 'drops it'];

/** Table `inet sluice`. */
export const GATE_NOTES: readonly ChainNote[] = [
  {
    chains: /^syns$/,
    about: 'Every TCP SYN that comes in is judged here, before connection tracking.',
    rules: [
      [/^meta l4proto != tcp/, 'what is not TCP is judged in `ingress`'],
      [/^tcp flags/, 'so is what opens no connection'],
      [/^iif != lo tcp dport 15021/, 'the admin port has rules of its own'],
      [/^iif lo/, 'the pod may talk to itself'],
      [/^ip saddr @node4/, 'the own node always gets in'],
      [/@full4/, 'the app has no room for another connection; the client tries again'],
      [/^jump in_subject/, 'policy decides'],
    ],
  },
  {
    chains: /^ingress$/,
    about: 'All else that comes in is judged here, after connection tracking and before TPROXY.',
    rules: [
      [
        /ct status assured accept/,
        'the proxy or the direct path has these connections, and ends them when policy changes',
      ],
      [/== syn goto opening/, 'judged in `syns`'],
      [/ct event set/, 'what completes its handshake with a FIN is reported all the same'],
      [/^iif lo/, 'the pod may talk to itself'],
      [/^ip saddr @node4/, 'the own node always gets in'],
      [/^ct direction reply/, 'answers to what the pod opened'],
      [/ct state related/, 'ICMP errors of its flows'],
      [/ct state established/, 'the same, where the handshake has not been completed in the usual way'],
      [/^jump in_subject/, 'policy decides'],
    ],
  },
  {
    chains: /^opening$/,
    about:
      'SYNs that have been judged. The kernel reports that a connection is complete, and nothing else of it.',
    rules: [
      [/^iif lo meta mark/, 'the proxy dials the app: nothing is reported'],
      [/^iif lo/, 'the pod may talk to itself'],
      [/ct event set assured accept/, 'not of what the pod itself has opened'],
      [/ct event set/, 'an earlier connection with the same ports was complete: all is reported'],
      [/^accept$/, 'on to the redirect'],
    ],
  },
  {
    chains: /^egress$/,
    about: 'Everything that the pod sends is judged here, after a Service became one of its backends.',
    rules: [
      [/@injector4/, 'the injector is for the sidecar alone'],
      [/^jump out_subject/, 'policy decides'],
    ],
  },
  {
    chains: /^translate$/,
    about:
      "Turns a Service's address into that of a backend which policy allows. Only there while there is one.",
    rules: [
      [/vmap @virtual4/, 'finds how many backends the Service has'],
      [/^jump loading/, 'until the backends are loaded, no new connection leaves without translation'],
    ],
  },
  {
    chains: /^pick_\d+$/,
    about: 'One chain for each number of backends; `pick_1` to `pick_16` are always there.',
    rules: [[/dnat ip to/, 'draws a number, and goes to the backend with that number']],
  },
  {
    chains: /^loading$/,
    about: 'Empty, but for the moment in which a new table gets its Services.',
    rules: [[/^ip daddr \{/, 'drops new connections to addresses near those of Services']],
  },
  {
    chains: /^(in|out)_subject$/,
    about: 'Where policy does not isolate the pod, the one rule here is `accept`.',
    rules: [
      [/^oif lo/, 'the pod may talk to itself'],
      [/@own4/, 'also by way of a Service'],
      [/^ct direction reply/, 'answers to what came in'],
      [/ct state related/, 'ICMP errors of its flows'],
      [/@node4/, 'the own node can always be reached'],
      [/^tcp flags rst/, 'a reset ends a connection'],
      [/goto (in|out)_isolated/, 'looks up the peer'],
      [/goto (in|out)_others/, 'other protocols'],
    ],
  },
  {
    chains: /^(in|out)_isolated$/,
    about: 'Finds the access of the peer by its address.',
    rules: [
      [/@services4/, 'a Service that was not translated has no backend that may be reached'],
      [/_pods4$/, 'a pod that some rule selects: its access'],
      [/_blocks4$/, 'an address in an `ipBlock`: its access'],
      [/^goto/, 'everybody else'],
    ],
  },
  {
    chains: /^(in|out)_rest$/,
    about: 'The access of everybody else.',
    rules: [[/^goto/, 'here: nothing at all, as no rule is without peers']],
  },
  {
    chains: /^(in|out)_[0-9a-f]{16}$/,
    about:
      'An access: the ports that may be reached. Peers with the same ports share it; its name is a hash of them.',
    rules: [
      [/ accept$/, 'these ports are allowed'],
      [/^goto/, 'all others are denied'],
    ],
  },
  {
    chains: /^(in|out)_deny$/,
    about: 'What policy denies.',
    rules: [
      COUNTED,
      [/_denied4/, 'notes peer and port, for the record that explains the denial'],
      [/goto out_revoked/, 'a connection that was open before the policy'],
      [/^jump \w+_note_unmet/, 'where rules ask for a large group'],
      DROPPED,
    ],
  },
  {
    chains: /^(in|out)_note_unmet$/,
    about:
      'Empty here. Where rules ask for a large group, of which the sidecar knows some members only, it notes the peer for a second, so that the sidecar asks the injector about it. Then it drops: a reset could not be taken back.',
    rules: [],
  },
  {
    chains: /^out_revoked$/,
    about: 'The sidecar has 5 s to end such a connection at both ends; then the gate resets it.',
    rules: [
      [/@ending4 drop$/, 'within the 5 s: drops'],
      [/@revoked4 reject/, 'after them: resets'],
      [/^add @ending4/, 'its first packet: starts the 5 s'],
      [/^reject/, 'there is no room to remember it: resets'],
    ],
  },
  {
    chains: /^(in|out)_others$/,
    about: 'Protocols that NetworkPolicy does not speak of, such as ICMP echo (`SLUICE_OTHER_PROTOCOLS`).',
    rules: [COUNTED, DROPPED],
  },
  {
    chains: /^counting$/,
    about: 'No packet comes here.',
    rules: [
      [
        /^ct bytes/,
        "because of this rule connection tracking counts bytes in the pod (`nf_conntrack_acct`), for records of the pod's own flows",
      ],
    ],
  },
  {
    chains: /^admin$/,
    about: 'SYNs to the admin port.',
    rules: [
      [/^socket transparent/, "the sidecar's socket is the only transparent one on this port"],
      COUNTED,
      [/^limit rate/, 'an app has the port, or nobody: refuses, as a closed port does'],
      [/^drop$/, 'more than 1,000 a second: drops'],
    ],
  },
  {
    chains: /^admin_own$/,
    about: "SYNs to the sidecar's own socket.",
    rules: [
      [/^ip saddr @node4/, "the kubelet's probes have no limit"],
      [/^update @admin4/, 'more than 20 a second from one address are dropped'],
      [/^accept$/, 'all others get in'],
    ],
  },
  {
    chains: /^to_injector$/,
    about: 'What the pod sends to the injector.',
    rules: [
      [/^tcp flags/, 'later packets of a connection'],
      [/^meta mark/, "the sidecar's mark (0x53b)"],
      COUNTED,
      [/^reject/, "an app's connection is refused"],
    ],
  },
];

/** Table `inet sluice_guard`. */
export const GUARD_NOTES: readonly ChainNote[] = [
  {
    chains: /^in$/,
    about: 'Everything that comes in, before the gate.',
    rules: [
      [/^iif lo/, 'localhost is not looked at'],
      [/^ip hdrlength/, 'IPv4 options'],
      [/^icmp type redirect/, 'nobody redirects the pod'],
      [/@node4/, 'who claims to be the own node is checked'],
    ],
  },
  {
    chains: /^own_node4$/,
    about: 'Packets with an address of the own node.',
    rules: [
      [/@bound4/, "they come from the link-layer address of the node's next hop"],
      [/@alone4/, 'the network offers no link-layer address to check'],
      [/^goto/, 'forged'],
    ],
  },
  {
    chains: /^routed4$/,
    about: 'Source routes lead packets past what judges them.',
    rules: [[/exists/, 'dropped']],
  },
  {
    chains: /^out$/,
    about: 'Everything that leaves, after address translation.',
    rules: [
      [/^oif lo/, 'localhost is not looked at'],
      [/@uplinks/, 'only interfaces that lead out of the pod'],
      [/^ip hdrlength/, 'IPv4 options'],
      [/127\.0\.0\.0/, 'localhost is no source on the link'],
      [/^fib saddr type local/, 'an address of the pod'],
      [/udp sport 68/, 'DHCP has no address yet'],
      [/igmp/, 'nor has IGMP'],
      [/^goto drop_forged/, 'any other source is forged'],
    ],
  },
  {
    chains: /^drop_(routed|steered|forged|misfit)$/,
    about: 'One chain for each reason: source route, foreign router, forged source, forged node.',
    rules: [
      [/^update @\w+_shown4/, 'notes the source, for the log'],
      [/^update/, 'counts the packet by protocol'],
      DROPPED,
    ],
  },
];

/** Table `netdev sluice_guard`. */
export const FRAMES_NOTES: readonly ChainNote[] = [
  {
    chains: /^out$/,
    about: 'Every frame that leaves: raw packet sockets pass no other rule.',
    rules: [
      [/^ether saddr !=/, 'not the link-layer address of the pod'],
      [/@own4 accept$/, 'IPv4 and ARP from an address of the pod'],
      [/arp operation request/, 'duplicate address detection'],
      [/udp sport 68/, 'DHCP'],
      [/igmp/, 'IGMP'],
      [/^goto drop_forged/, 'any other source or protocol is forged'],
    ],
  },
  {
    chains: /^drop_forged$/,
    about: 'Forged frames.',
    rules: [[/^update/, 'counts them by link-layer address'], DROPPED],
  },
];

/** The chains of iptables, as `table NAME`. */
export const REDIRECT_NOTES: readonly ChainNote[] = [
  {
    chains: /^mangle SLUICE_IN$/,
    about: 'What comes in: to the sidecar, or straight on.',
    rules: [
      [/--dport 15020/, 'the canary: the sidecar dials this port to see that the rules are there'],
      [/CONNMARK/, 'an app leg: its mark is kept on the connection'],
      [/^-i lo -j RETURN/, 'localhost goes straight on'],
      [/INVALID/, 'packets of no connection would make the app reset a flow'],
      [/REPLY/, 'answers to what the pod opened go straight on'],
      [/^-s /, 'the own node goes straight on'],
      [/--dport 15021/, "the admin port goes to the sidecar's own socket"],
      [/SNAT,DNAT/, 'connections that are translated in the pod'],
      [/-g SLUICE_SYN/, 'the first packet of a connection'],
      [/^-p tcp -j TPROXY/, 'all later packets go to the sidecar'],
    ],
  },
  {
    chains: /^mangle SLUICE_SYN$/,
    about: 'The first packet of a connection.',
    rules: [
      [/-g SLUICE_MET/, 'it meets a socket with its own addresses and ports: it takes another way in'],
      [/TPROXY/, 'somebody listens on the port: to the sidecar. Else the kernel refuses it'],
    ],
  },
  {
    chains: /^mangle SLUICE_OUT$/,
    about: 'What leaves.',
    rules: [[/MARK/, "the app's answer on an app leg is marked, so that it is routed back to the sidecar"]],
  },
  {
    chains: /^raw SLUICE_LEG$/,
    about: 'App legs, on their way to the app.',
    rules: [
      [/CT --zone-orig/, 'a conntrack zone of their own: no leg is taken for a connection of its client'],
    ],
  },
  {
    chains: /^mangle SLUICE_MET$/,
    about: 'The other way in.',
    rules: [[/CONNMARK/, 'marks the connection']],
  },
  {
    chains: /^nat SLUICE_MET$/,
    about: 'The same, a moment later.',
    rules: [
      [/REDIRECT/, 'leads it to the first of these ports that has no connection from this client port'],
    ],
  },
  {
    chains: /^mangle SLUICE_MET_IN$/,
    about: 'Where it comes out.',
    rules: [
      [/RETURN/, "the sidecar's socket"],
      [/DROP/, 'an app has taken the port'],
    ],
  },
  {
    chains: /^mangle SLUICE_MOVED$/,
    about: 'Later packets of translated connections.',
    rules: [
      [/RETURN/, 'those of `SLUICE_MET` are on their way'],
      [/SYN/, 'a SYN that is repeated goes to the sidecar'],
      [/DNAT/, "so do connections that rules of the pod's own translate"],
    ],
  },
];
