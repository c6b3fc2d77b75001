/**
 * What the injector and the sidecar agree on: the names, paths, ports and settings of what injection puts into a pod. The
 * injector writes them, the sidecar runs by them, and the commands and the lab look for them.
 */
import { inboundPorts } from './inbound_ports.ts';

/** How the names of our labels and annotations begin. */
export const ANNOTATION_PREFIX = 'sluice.dev/';

/** Where the manifests put the injector. */
export const USUAL_NAMESPACE = 'sluice-system';

/** A namespace that is never injected, beside the injector's own: the webhook's selector says so. */
const NEVER_INJECTED = 'kube-system';

/** Whether a namespace is one whose pods are never injected, with any labels. @param own the injector's namespace */
export function isNeverInjected(name: string, own: string): boolean {
  return name === own || name === NEVER_INJECTED;
}

/** Init container that puts the redirect rules and the closed gate in force. A native sidecar does that itself. */
export const REDIRECT_CONTAINER = 'sluice-redirect';
/** The sidecar. */
export const SIDECAR_CONTAINER = 'sluice-sidecar';
/** emptyDir that keeps the last table over restarts of the sidecar. */
export const STATE_VOLUME = 'sluice-state';
/** Projected volume: the service-account token for the injector, and the CA that signs the injector. */
export const IDENTITY_VOLUME = 'sluice-identity';

/**
 * Who puts the redirect and the closed gate in force: the values of SLUICE_REDIRECT. `init`: a step that has ended before `run`
 * begins. `run`: the sidecar itself, before all else; every other container waits for its startup probe.
 */
export const REDIRECT_BY = ['init', 'run'] as const;
/** One of these. */
export type RedirectBy = (typeof REDIRECT_BY)[number];
/** The setting, and its value that has the sidecar do it: injection writes them, and pods are looked through for them. */
export const REDIRECT_SETTING = 'SLUICE_REDIRECT' satisfies SidecarEnv;
export const REDIRECT_BY_SIDECAR: RedirectBy = 'run';

/** What injection adds, by name: a container or volume of such a name is ours, no matter who put it there. */
export const OWN_CONTAINERS: readonly string[] = [REDIRECT_CONTAINER, SIDECAR_CONTAINER];
export const OWN_VOLUMES: readonly string[] = [STATE_VOLUME, IDENTITY_VOLUME];

/** Where the volumes are mounted, in our containers only. */
export const STATE_DIR = '/var/lib/sluice';
export const IDENTITY_DIR = '/var/run/secrets/sluice.dev';

/**
 * File in the state volume. The hook of the sidecar's container touches it when the termination of the pod begins; the sidecar
 * reads when that was.
 */
export const TERMINATION_FILE = 'terminating';

/** Audience of the token: no other service takes it, and the injector takes no other. */
export const TOKEN_AUDIENCE = 'sluice.dev';
/** File names in the identity volume. */
export const TOKEN_FILE = 'token';
export const CA_FILE = 'ca.crt';
/** Life of a token, seconds; the kubelet puts a new one in place at 80 % of it. */
export const TOKEN_SECONDS = 3_600;

/** ConfigMap of each enabled namespace that holds the CA, under the key `CA_FILE`. */
export const CA_CONFIG_MAP = 'sluice-ca';

/** TCP ports of the pod that the sidecar takes: the defaults of its settings, which injection sets too. */
export const SIDECAR_PORTS = { inbound: 15_006, canary: 15_020, admin: 15_021 } as const;
/** All TCP ports of the pod that the sidecar takes. */
export const OWN_PORTS: readonly number[] = [
  ...inboundPorts(SIDECAR_PORTS.inbound),
  SIDECAR_PORTS.canary,
  SIDECAR_PORTS.admin,
];
/** Name of the admin port, for scrapers; at most 15 characters. */
export const ADMIN_PORT_NAME = 'sluice-admin';

/**
 * TCP ports of the injector: where sidecars get their tables, where users ask about flows, and where health, metrics and counts
 * are. Defaults.
 */
export const INJECTOR_PORTS = { tables: 15_010, operator: 15_013, status: 15_014 } as const;

/** The message of a sidecar's log that says which path connections take, and why: `sluice check` reads it. */
export const PATH_MESSAGE = 'path of connections';
/** `set`: as configured. `probed`: auto, and the kernel can do all of it. `fell-back`: auto, and it cannot. */
export type PathReason = 'set' | 'probed' | 'fell-back';

/** Environment variables that injection sets in our containers. Each is an option of the sidecar; a test keeps it so. */
export const SIDECAR_ENV = [
  'SLUICE_POD_NAMESPACE',
  'SLUICE_POD_NAME',
  'SLUICE_INJECTOR_ADDRESS',
  'SLUICE_INJECTOR_NAME',
  'SLUICE_TOKEN_FILE',
  'SLUICE_CA_FILE',
  'SLUICE_STATE_DIR',
  'SLUICE_DRAIN_SECONDS',
  'SLUICE_NODE_IPS',
  'SLUICE_NODE_TRAFFIC',
  'SLUICE_NODE_PORTS',
  'SLUICE_EXCLUDED_PORTS',
  'SLUICE_PATH',
  'SLUICE_INBOUND_PORT',
  'SLUICE_CANARY_PORT',
  'SLUICE_ADMIN_PORT',
  'SLUICE_IPTABLES',
  'SLUICE_REDIRECT',
  'SLUICE_DENY',
  'SLUICE_OTHER_PROTOCOLS',
  'SLUICE_FLOW_LOG',
  'SLUICE_LOG_LEVEL',
] as const;

/** The name of one of them. */
export type SidecarEnv = (typeof SIDECAR_ENV)[number];

/**
 * Flags of Node for the sidecar and the redirect step. Injection, the lab and the benchmarks start them alike.
 *
 * - `--disable-sigusr1`: else SIGUSR1, which any process of user 0 that sees this one may send, opens Node's inspector, and who
 *   connects to it runs code as the sidecar.
 * - `--max-semi-space-size=1`, in MiB: young objects take 1.4 MB less, and no collection has much to move.
 * - `--max-old-space-size-percentage=50`, of the container's memory limit: V8 else lets its heap grow to all of it, and the kernel
 *   kills the sidecar before V8 collects in earnest. The rest is for the buffers of flows (a third, docs/adr/0023), and Node itself.
 * - `--v8-pool-size=1`: one helper for collections and compilation, not four; 0.2 MB.
 *
 * libuv's pool keeps its four threads: a disk that hangs may hold one, and look-ups of names two, and the gate must not wait for
 * either. One thread instead of four saves nothing that can be measured. Source: node(1), v8.h, threadpool.c of libuv.
 */
export const SIDECAR_NODE_FLAGS: readonly string[] = [
  '--disable-sigusr1',
  '--max-semi-space-size=1',
  '--max-old-space-size-percentage=50',
  '--v8-pool-size=1',
];

/**
 * Environment of the same processes. `MALLOC_ARENA_MAX`: glibc else gives each thread memory of its own, which few give back;
 * 2.5 MB. Source: mallopt(3).
 */
export const SIDECAR_NODE_ENV = { MALLOC_ARENA_MAX: '1' } as const;
