/** The sidecar's settings: read once at start, from the environment and flags. */
import { isIP } from 'node:net';
import { REDIRECT_BY, type RedirectBy, SIDECAR_PORTS, STATE_DIR } from '../common/contract.ts';
import { messageOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { inboundPorts, LAST_INBOUND_PORT } from '../common/inbound_ports.ts';
import { FLOW_LOGS, type FlowLog, LOG_LEVELS, type LogLevel } from '../common/log.ts';
import { isPort } from '../common/net.ts';
import { type OptionSpec, type OptionValues, PORT } from '../common/options.ts';
import { type PathChoice, parsePath, USUAL_PATH } from '../common/path.ts';
import { shown } from '../common/shown.ts';
import { canonicalAddress } from '../policy/index.ts';
import type { RedirectConfig } from './redirect/index.ts';
import type { RelayKind, SilenceLimits } from './relay/index.ts';
import type { TlsSource } from './table/index.ts';

const NODE_TRAFFIC = ['all', 'probes'] as const;
const RELAYS: readonly RelayKind[] = ['splice', 'node'];
const IPTABLES: readonly RedirectConfig['iptables'][] = ['auto', 'nft', 'legacy'];
const DENY: readonly RedirectConfig['deny'][] = ['drop', 'reset'];
const OTHER_PROTOCOLS: readonly RedirectConfig['otherProtocols'][] = ['drop', 'accept'];

/** Every option of `sidecar/main.ts`; docs/reference/configuration.md is made from this. */
export const SIDECAR_OPTIONS: readonly OptionSpec[] = [
  {
    env: 'SLUICE_POD_NAMESPACE',
    flag: 'pod-namespace',
    kind: { type: 'text' },
    description: 'Namespace of this pod; needed by run',
  },
  {
    env: 'SLUICE_POD_NAME',
    flag: 'pod-name',
    kind: { type: 'text' },
    description: 'Name of this pod; needed by run',
  },
  {
    env: 'SLUICE_SOURCE',
    flag: 'source',
    kind: { type: 'text' },
    description:
      'Where the table comes from on one machine, unix:/path/to/socket; this or an injector address, needed by run',
  },
  {
    env: 'SLUICE_INJECTOR_ADDRESS',
    flag: 'injector-address',
    kind: { type: 'text' },
    description: 'Where the table comes from in a cluster, IP:PORT or [IPv6]:PORT of the injector, over TLS',
  },
  {
    env: 'SLUICE_INJECTOR_NAME',
    flag: 'injector-name',
    kind: { type: 'text' },
    default: 'sluice-injector.sluice-system.svc',
    description: "Name that the injector's certificate must have",
  },
  {
    env: 'SLUICE_TOKEN_FILE',
    flag: 'token-file',
    kind: { type: 'text' },
    default: '/var/run/sluice/token',
    description:
      "The pod's service-account token for the injector, audience sluice.dev; read again for each connection",
  },
  {
    env: 'SLUICE_CA_FILE',
    flag: 'ca-file',
    kind: { type: 'text' },
    default: '/var/run/sluice/ca.crt',
    description: "CA certificates that may have signed the injector's, PEM; read again for each connection",
  },
  {
    env: 'SLUICE_STATE_DIR',
    flag: 'state-dir',
    kind: { type: 'text' },
    default: STATE_DIR,
    description: 'Folder that keeps the last table across restarts',
  },
  {
    env: 'SLUICE_NODE_IPS',
    flag: 'node-ips',
    kind: { type: 'list' },
    description:
      "Addresses of this pod's own node, comma-separated: their traffic bypasses the sidecar. The default gateways are added",
  },
  {
    env: 'SLUICE_ADMIN_PORT',
    flag: 'admin-port',
    kind: PORT,
    default: String(SIDECAR_PORTS.admin),
    description: 'Port of health, metrics and inspection',
  },
  {
    env: 'SLUICE_INBOUND_PORT',
    flag: 'inbound-port',
    kind: PORT,
    default: String(SIDECAR_PORTS.inbound),
    description:
      'Port that the redirect delivers to. The proxy also takes the 8 ports from this one + 16 on, for connections that the redirect translates (with the default 15022 to 15029). A connection made to any of them is refused',
  },
  {
    env: 'SLUICE_CANARY_PORT',
    flag: 'canary-port',
    kind: PORT,
    default: String(SIDECAR_PORTS.canary),
    description: 'Port that is answered only while the redirect rules are there',
  },
  {
    env: 'SLUICE_EXCLUDED_PORTS',
    flag: 'excluded-ports',
    kind: { type: 'list' },
    description:
      'TCP ports of the pod that are direct, comma-separated: they bypass the proxy, also where the kernel cannot end connections there. Where there is no gate, the proxy has them',
  },
  {
    env: 'SLUICE_PATH',
    flag: 'path',
    kind: { type: 'text' },
    default: USUAL_PATH.usual,
    description:
      "Which path inbound TCP connections take: proxy, direct (to the app's own socket; the kernel ends what policy no longer allows), or auto (direct where a probe shows that the kernel can do all of it, else proxy). Single ports may have another: auto,5432=proxy. Decided by the redirect step",
  },
  {
    env: 'SLUICE_NODE_TRAFFIC',
    flag: 'node-traffic',
    kind: { type: 'choice', choices: NODE_TRAFFIC },
    default: 'all',
    description:
      'What the isolated pod takes from its own node: everything, as the API says, or only TCP to SLUICE_NODE_PORTS and the admin port; the rest is then judged as from any other address',
  },
  {
    env: 'SLUICE_NODE_PORTS',
    flag: 'node-ports',
    kind: { type: 'list' },
    description:
      "TCP ports that the pod's probes and hooks need, comma-separated; for SLUICE_NODE_TRAFFIC=probes",
  },
  {
    env: 'SLUICE_MAX_CONNECTIONS',
    flag: 'max-connections',
    kind: { type: 'integer', min: 0, max: 1_000_000 },
    default: '0',
    description:
      'Most flows at once; 0: as many as the limits of file descriptors and of memory allow. Excess is refused',
  },
  {
    env: 'SLUICE_RELAY',
    flag: 'relay',
    kind: { type: 'choice', choices: RELAYS },
    default: 'splice',
    description:
      'Who moves the bytes of a flow: splice is a native thread; node is a reference on node:net for tests, without limits on buffers',
  },
  {
    env: 'SLUICE_RELAY_THREADS',
    flag: 'relay-threads',
    kind: { type: 'integer', min: 1, max: 64 },
    default: '1',
    description: 'Threads of the splice relay; more help only where one core is not enough for a pod',
  },
  {
    env: 'SLUICE_KEEPALIVE_SECONDS',
    flag: 'keepalive-seconds',
    kind: { type: 'integer', min: 1, max: 32_767 }, // MAX_TCP_KEEPIDLE of the kernel
    default: '60',
    description:
      "Silence before the client is probed, and time between probes. The app's own keepalive ends at the sidecar: this one stands in for it",
  },
  {
    env: 'SLUICE_PEER_TIMEOUT_SECONDS',
    flag: 'peer-timeout-seconds',
    kind: { type: 'integer', min: 2, max: 604_800 },
    default: '7200',
    description:
      "Silence before the client of an idle flow is given up; more than the keepalive. A client that has vanished holds its flow, and one of the app's connections, for so long; a shorter time ends flows in outages of that length",
  },
  {
    env: 'SLUICE_IDLE_SECONDS',
    flag: 'idle-seconds',
    kind: { type: 'integer', min: 0, max: 604_800 },
    default: '0',
    description: 'A flow over which nothing passes for so long is ended; 0: never, as without a proxy',
  },
  {
    env: 'SLUICE_CONNECT_SECONDS',
    flag: 'connect-seconds',
    kind: { type: 'integer', min: 1, max: 120 },
    default: '10',
    description: 'How long the app may take to accept a connection',
  },
  {
    env: 'SLUICE_DRAIN_SECONDS',
    flag: 'drain-seconds',
    kind: { type: 'integer', min: 0, max: 3_600 },
    default: '5',
    description:
      "How long live flows may go on after SIGTERM. Where the container's preStop hook has noted in SLUICE_STATE_DIR when the pod's termination began, it counts from then",
  },
  {
    env: 'SLUICE_FLOW_HISTORY',
    flag: 'flow-history',
    kind: { type: 'integer', min: 0, max: 100_000 },
    default: '256',
    description: 'Records kept for /flows: so many of denials and cuts, and so many of other flows',
  },
  {
    env: 'SLUICE_FLOW_LOG',
    flag: 'flow-log',
    kind: { type: 'choice', choices: FLOW_LOGS },
    default: 'denied',
    description:
      'Which flows have a line in the log: denied, those that are denied or cut; all, also those that pass; none. Metrics have all of them in any case',
  },
  {
    env: 'SLUICE_IPTABLES',
    flag: 'iptables',
    kind: { type: 'choice', choices: IPTABLES },
    default: 'auto',
    description: 'iptables back end',
  },
  {
    env: 'SLUICE_REDIRECT',
    flag: 'redirect',
    kind: { type: 'choice', choices: REDIRECT_BY },
    default: 'init',
    description:
      'Who puts the redirect and the closed gate in force: init, a `redirect apply` that has ended before; run, the sidecar itself before all else, as a native sidecar does',
  },
  {
    env: 'SLUICE_DENY',
    flag: 'deny',
    kind: { type: 'choice', choices: DENY },
    default: 'drop',
    description:
      'What a denied TCP SYN gets: no answer, or a reset (1,000 a second at most); no handshake either way',
  },
  {
    env: 'SLUICE_OTHER_PROTOCOLS',
    flag: 'other-protocols',
    kind: { type: 'choice', choices: OTHER_PROTOCOLS },
    default: 'drop',
    description:
      'What an isolated pod gets of protocols beside TCP, UDP and SCTP, such as ICMP echo. ICMP errors of its flows and neighbour discovery always pass',
  },
  {
    env: 'SLUICE_LOG_LEVEL',
    flag: 'log-level',
    kind: { type: 'choice', choices: LOG_LEVELS },
    default: 'info',
    description:
      'Lowest level logged; flows are logged at info, denials at warn, as far as SLUICE_FLOW_LOG says',
  },
];

/** Where the table comes from. */
export type TableSource =
  | { readonly kind: 'local'; readonly path: string }
  | ({ readonly kind: 'tls' } & TlsSource);

/** What `run` needs. */
export interface SidecarConfig extends RedirectConfig {
  readonly podNamespace: string;
  readonly podName: string;
  readonly source: TableSource;
  readonly stateDir: string;
  /** 0: as many as the limits of file descriptors and of memory allow. */
  readonly maxConnections: number;
  readonly relay: RelayKind;
  readonly relayThreads: number;
  readonly keepAliveMs: number;
  readonly peerTimeoutMs: number;
  readonly idleMs: number;
  readonly connectTimeoutMs: number;
  readonly drainMs: number;
  readonly flowHistory: number;
  readonly flowLog: FlowLog;
  readonly logLevel: LogLevel;
  readonly redirectBy: RedirectBy;
}

const MS_PER_SECOND = 1000;

/** @throws SluiceError `CONFIG_INVALID` naming the variable. */
export function redirectConfig(values: OptionValues): RedirectConfig {
  const nodeIPs = values.list('SLUICE_NODE_IPS').map(nodeAddress);
  const ports = {
    inboundPort: values.integer('SLUICE_INBOUND_PORT'),
    adminPort: values.integer('SLUICE_ADMIN_PORT'),
    canaryPort: values.integer('SLUICE_CANARY_PORT'),
  };
  if (ports.inboundPort > LAST_INBOUND_PORT) {
    throw new SluiceError('CONFIG_INVALID', `SLUICE_INBOUND_PORT must be at most ${LAST_INBOUND_PORT}`);
  }
  const own = [...inboundPorts(ports.inboundPort), ports.adminPort, ports.canaryPort];
  if (new Set(own).size !== own.length) {
    throw new SluiceError(
      'CONFIG_INVALID',
      'SLUICE_INBOUND_PORT (and the ports that go with it), SLUICE_ADMIN_PORT and SLUICE_CANARY_PORT must differ',
    );
  }
  return {
    nodeIPs,
    ...ports,
    ...paths(values, own),
    nodePorts: nodePorts(values, ports.adminPort),
    iptables: values.choice('SLUICE_IPTABLES', IPTABLES),
    deny: values.choice('SLUICE_DENY', DENY),
    otherProtocols: values.choice('SLUICE_OTHER_PROTOCOLS', OTHER_PROTOCOLS),
    injector: injectorAddress(values),
  };
}

/** @throws SluiceError `CONFIG_INVALID` naming the variable. */
export function sidecarConfig(values: OptionValues): SidecarConfig {
  return {
    ...redirectConfig(values),
    podNamespace: values.text('SLUICE_POD_NAMESPACE'),
    podName: values.text('SLUICE_POD_NAME'),
    source: tableSource(values),
    stateDir: values.text('SLUICE_STATE_DIR'),
    maxConnections: values.integer('SLUICE_MAX_CONNECTIONS'),
    relay: values.choice('SLUICE_RELAY', RELAYS),
    relayThreads: values.integer('SLUICE_RELAY_THREADS'),
    ...silenceLimits(values),
    idleMs: values.integer('SLUICE_IDLE_SECONDS') * MS_PER_SECOND,
    connectTimeoutMs: values.integer('SLUICE_CONNECT_SECONDS') * MS_PER_SECOND,
    drainMs: values.integer('SLUICE_DRAIN_SECONDS') * MS_PER_SECOND,
    flowHistory: values.integer('SLUICE_FLOW_HISTORY'),
    flowLog: values.choice('SLUICE_FLOW_LOG', FLOW_LOGS),
    logLevel: values.choice('SLUICE_LOG_LEVEL', LOG_LEVELS),
    redirectBy: values.choice('SLUICE_REDIRECT', REDIRECT_BY),
  };
}

function silenceLimits(values: OptionValues): SilenceLimits {
  const keepAliveMs = values.integer('SLUICE_KEEPALIVE_SECONDS') * MS_PER_SECOND;
  const peerTimeoutMs = values.integer('SLUICE_PEER_TIMEOUT_SECONDS') * MS_PER_SECOND;
  if (keepAliveMs < peerTimeoutMs) return { keepAliveMs, peerTimeoutMs };
  throw new SluiceError(
    'CONFIG_INVALID',
    'SLUICE_PEER_TIMEOUT_SECONDS must be more than SLUICE_KEEPALIVE_SECONDS: a silent peer is probed before it is given up',
  );
}

/** A port from 1 to 65535, in decimal. */
function portNumber(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return isPort(port) ? port : undefined;
}

/** Which path which port is to have. */
function paths(values: OptionValues, own: readonly number[]): Pick<RedirectConfig, 'path' | 'excludedPorts'> {
  const excludedPorts = values.list('SLUICE_EXCLUDED_PORTS').map((text) => excludedPort(text, own));
  const path = pathChoice(values.text('SLUICE_PATH'));
  for (const port of path.ports.keys()) {
    if (own.includes(port))
      throw new SluiceError(
        'CONFIG_INVALID',
        `SLUICE_PATH has port ${port}: it is the sidecar's own: leave it out`,
      );
    if (excludedPorts.includes(port))
      throw new SluiceError(
        'CONFIG_INVALID',
        `SLUICE_PATH and SLUICE_EXCLUDED_PORTS both have port ${port}: name it in one of them`,
      );
  }
  return { path, excludedPorts };
}

function pathChoice(text: string): PathChoice {
  const path = parsePath(text);
  if (typeof path !== 'string') return path;
  throw new SluiceError('CONFIG_INVALID', `SLUICE_PATH is '${shown(text)}': ${path}`);
}

function excludedPort(text: string, own: readonly number[]): number {
  const port = portNumber(text);
  if (port !== undefined && !own.includes(port)) return port;
  throw new SluiceError(
    'CONFIG_INVALID',
    `SLUICE_EXCLUDED_PORTS has '${shown(text)}': wants ports from 1 to 65535 that are not the sidecar's own`,
  );
}

/** TCP ports that the own node always reaches. The admin port is among them: the sidecar has probes too. */
function nodePorts(values: OptionValues, adminPort: number): RedirectConfig['nodePorts'] {
  const ports = values.list('SLUICE_NODE_PORTS').map((text) => {
    const port = portNumber(text);
    if (port !== undefined) return port;
    throw new SluiceError('CONFIG_INVALID', `SLUICE_NODE_PORTS has '${text}': wants ports from 1 to 65535`);
  });
  return values.choice('SLUICE_NODE_TRAFFIC', NODE_TRAFFIC) === 'all'
    ? undefined
    : [...new Set([adminPort, ...ports])];
}

function tableSource(values: OptionValues): TableSource {
  const local = values.optionalText('SLUICE_SOURCE');
  const injector = injectorAddress(values);
  if (local !== undefined && injector !== undefined)
    throw new SluiceError(
      'CONFIG_INVALID',
      'SLUICE_SOURCE and SLUICE_INJECTOR_ADDRESS are both set: set one',
    );
  if (local !== undefined) return { kind: 'local', path: unixPath(local) };
  if (injector === undefined)
    throw new SluiceError('CONFIG_INVALID', 'SLUICE_INJECTOR_ADDRESS is required (or SLUICE_SOURCE): set it');
  return {
    kind: 'tls',
    host: injector.address,
    port: injector.port,
    serverName: values.text('SLUICE_INJECTOR_NAME'),
    tokenFile: values.text('SLUICE_TOKEN_FILE'),
    caFile: values.text('SLUICE_CA_FILE'),
  };
}

/** An address, not a name: a name would need DNS, which policy may forbid to this pod. */
function injectorAddress(values: OptionValues): RedirectConfig['injector'] {
  const text = values.optionalText('SLUICE_INJECTOR_ADDRESS');
  if (text === undefined) return undefined;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  if (isIP(host) === (bracketed === undefined ? 4 : 6) && isPort(port))
    return { address: canonicalAddress(host), port };
  throw new SluiceError(
    'CONFIG_INVALID',
    `SLUICE_INJECTOR_ADDRESS is '${text}': wants IP:PORT or [IPv6]:PORT, such as 10.96.0.20:15010`,
  );
}

function unixPath(source: string): string {
  const path = source.startsWith('unix:') ? source.slice('unix:'.length) : '';
  if (path.startsWith('/')) return path;
  throw new SluiceError('CONFIG_INVALID', `SLUICE_SOURCE is '${source}': wants unix:/path/to/socket`);
}

function nodeAddress(text: string): string {
  try {
    return canonicalAddress(text);
  } catch (cause) {
    const said = messageOf(cause);
    throw new SluiceError('CONFIG_INVALID', `SLUICE_NODE_IPS: ${said}`, { cause });
  }
}
