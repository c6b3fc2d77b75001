/** The cluster that the soak runs on, and what it changes in it. */
import { type Manifest, namespace, node, pod, policy } from '../../builders/manifests.ts';

/** A client outside the cluster, one address of each family. */
export const OUTSIDE: readonly string[] = ['203.0.113.7', '2001:db8:ffff::7'];

/** An endpoint: where its agent runs, and its addresses, IPv4 first. */
export interface End {
  readonly target: string;
  readonly ips: readonly [string, string];
}

/** A port of a server. */
export interface ServerPort {
  readonly server: End;
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
}

const end = (target: string, last: number): End => ({ target, ips: [`10.1.1.${last}`, `fd00:1::${last}`] });

const API = end('shop/api', 10);
const STORE = end('shop/store', 20);
const FRONT = end('shop/front', 11);
const BATCH = end('shop/batch', 12);
const WORKER = end('team/worker', 13);

/** Where the kept flows come from: no change ever concerns them. */
export const STEADY = end('team/steady', 14);

/** Where they go to. */
export const KEPT_PORT: ServerPort = { server: API, protocol: 'TCP', port: 8081 };

/** Those that try to reach the servers. */
export const CLIENTS: readonly End[] = [
  FRONT,
  BATCH,
  WORKER,
  { target: 'outside', ips: [OUTSIDE[0] ?? '', OUTSIDE[1] ?? ''] },
];

/** What they try. */
export const SERVER_PORTS: readonly ServerPort[] = [
  { server: API, protocol: 'TCP', port: 80 },
  { server: API, protocol: 'TCP', port: 8080 },
  { server: API, protocol: 'UDP', port: 53 },
  { server: STORE, protocol: 'TCP', port: 80 },
  { server: STORE, protocol: 'UDP', port: 53 },
];

/** What is open to whom at rest. */
export const AT_REST_OPEN: { readonly client: End; readonly ports: readonly ServerPort[] } = {
  client: FRONT,
  ports: SERVER_PORTS.filter(({ protocol, port }) => protocol === 'TCP' && port === 80),
};

/** Pods with a sidecar. */
export const PODS: readonly End[] = [API, STORE, FRONT, BATCH, WORKER, STEADY];

/** One object over the soak: what it is at rest, and what else it becomes. Undefined: it is not there. */
export interface Changing {
  readonly name: string;
  readonly atRest: Manifest | undefined;
  /** @param random 0 to 1, as Math.random */
  readonly next: (random: () => number) => Manifest | undefined;
}

/** What never changes. */
export const FIXED: readonly Manifest[] = [
  node(1),
  node(2),
  namespace('shop', { tier: 'front' }),
  pod(API.target, { labels: { app: 'api' }, ips: API.ips, ports: ['http=80', 8080, 8081, 'UDP/53'] }),
  pod(STORE.target, { labels: { app: 'store' }, ips: STORE.ips, node: 2, ports: ['http=80', 'UDP/53'] }),
  pod(WORKER.target, { labels: { app: 'worker' }, ips: WORKER.ips }),
  pod(STEADY.target, { labels: { app: 'steady' }, ips: STEADY.ips, node: 2 }),
  policy('shop/steady', {
    podSelector: { matchLabels: { app: 'api' } },
    policyTypes: ['Ingress'],
    ingress: [
      {
        from: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'team' } },
            podSelector: { matchLabels: { app: 'steady' } },
          },
        ],
        ports: [{ port: KEPT_PORT.port }],
      },
    ],
  }),
];

/** What changes: policies of both directions, labels of pods and of a namespace; some come and go. */
export const CHANGING: readonly Changing[] = [
  ...['api', 'store'].map((app): Changing => {
    const name = `shop/${app}-in`;
    const make = (ingress: readonly Manifest[]) =>
      policy(name, { podSelector: { matchLabels: { app } }, policyTypes: ['Ingress'], ingress });
    return {
      name,
      atRest: make([{ from: [{ podSelector: { matchLabels: { app: 'front' } } }] }]),
      next: (random) => (random() < 0.15 ? undefined : make(some(INGRESS_RULES, random))),
    };
  }),
  labelled(FRONT, 1, 'front'),
  labelled(BATCH, 2, 'batch'),
  {
    name: 'team',
    atRest: namespace('team', { trusted: 'yes' }),
    next: (random) => namespace('team', random() < 0.5 ? { trusted: 'yes' } : {}),
  },
  ...[
    { name: 'shop/front-out', app: 'front' },
    { name: 'team/worker-out', app: 'worker' },
  ].map(({ name, app }): Changing => {
    const podSelector = { matchLabels: { app } };
    return {
      name,
      atRest: undefined,
      next: (random) =>
        random() < 0.4
          ? undefined
          : policy(name, { podSelector, policyTypes: ['Egress'], egress: some(EGRESS_RULES, random) }),
    };
  }),
];

function labelled(client: End, onNode: number, atRest: string): Changing {
  const make = (app: string) => pod(client.target, { labels: { app }, ips: client.ips, node: onNode });
  return { name: client.target, atRest: make(atRest), next: (random) => make(pick(APPS, random)) };
}

const APPS: readonly string[] = ['front', 'batch', 'other'];

const INGRESS_RULES: readonly Manifest[] = [
  { from: [{ podSelector: { matchLabels: { app: 'front' } } }] },
  { from: [{ podSelector: { matchLabels: { app: 'batch' } } }], ports: [{ port: 'http' }] },
  { from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['front'] }] } }] },
  { from: [{ namespaceSelector: { matchLabels: { trusted: 'yes' } } }] },
  { from: [{ namespaceSelector: {} }], ports: [{ protocol: 'UDP', port: 53 }] },
  { from: [{ ipBlock: { cidr: '203.0.113.0/24' } }, { ipBlock: { cidr: '2001:db8::/32' } }] },
  { from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.1.1.8/29', '203.0.113.0/29'] } }] },
  { ports: [{ port: 80, endPort: 8080 }] },
];

const EGRESS_RULES: readonly Manifest[] = [
  {
    to: [
      { namespaceSelector: { matchLabels: { tier: 'front' } }, podSelector: { matchLabels: { app: 'api' } } },
    ],
  },
  {
    to: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'store' } } }],
    ports: [{ port: 'http' }, { protocol: 'UDP', port: 53 }],
  },
  { to: [{ ipBlock: { cidr: '10.1.1.0/28' } }] },
  { to: [{ ipBlock: { cidr: 'fd00:1::/64', except: ['fd00:1::20/128'] } }] },
  { ports: [{ protocol: 'UDP', port: 53 }] },
];

/** One of a list. */
export function pick<T>(list: readonly T[], random: () => number): T {
  const one = list[Math.floor(random() * list.length)];
  if (one === undefined) throw new RangeError('nothing to pick from');
  return one;
}

/** Up to three of a list; none, sometimes. */
function some<T>(list: readonly T[], random: () => number): readonly T[] {
  return Array.from({ length: Math.floor(random() * 4) }, () => pick(list, random));
}
