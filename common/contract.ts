/**
 * What the injector and the sidecar agree on: the names, paths, ports and settings of what injection puts into a pod. The
 * injector writes them, the sidecar runs by them, and the commands and the lab look for them.
 */
import { inboundPorts } from './inbound_ports.ts';

/** How the names of our labels and annotations begin. */
export const ANNOTATION_PREFIX = 'sluice.dev/';

/** Init container that puts the redirect rules and the closed gate in force. */
export const REDIRECT_CONTAINER = 'sluice-redirect';
/** The sidecar. */
export const SIDECAR_CONTAINER = 'sluice-sidecar';
/** emptyDir that keeps the last table over restarts of the sidecar. */
export const STATE_VOLUME = 'sluice-state';
/** Projected volume: the service-account token for the injector, and the CA that signs the injector. */
export const IDENTITY_VOLUME = 'sluice-identity';

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

/** TCP ports of the injector: where sidecars get their tables, and where health, metrics and counts are. Defaults. */
export const INJECTOR_PORTS = { tables: 15_010, status: 15_014 } as const;

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
  'SLUICE_INBOUND_PORT',
  'SLUICE_CANARY_PORT',
  'SLUICE_ADMIN_PORT',
  'SLUICE_IPTABLES',
  'SLUICE_DENY',
  'SLUICE_OTHER_PROTOCOLS',
  'SLUICE_LOG_LEVEL',
] as const;

/** The name of one of them. */
export type SidecarEnv = (typeof SIDECAR_ENV)[number];
