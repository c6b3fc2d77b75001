/** Names and numbers of what injection puts into a pod. */
import { inboundPorts } from '../../common/inbound_ports.ts';

/** Init container that puts the redirect rules and the closed gate in force. */
export const REDIRECT_CONTAINER = 'sluice-redirect';
/** The sidecar. */
export const SIDECAR_CONTAINER = 'sluice-sidecar';
/** emptyDir that keeps the last table over restarts of the sidecar. */
export const STATE_VOLUME = 'sluice-state';
/** Projected volume: the service-account token for the injector, and the CA that signs the injector. */
export const IDENTITY_VOLUME = 'sluice-identity';

/** What injection adds, by name: it is ours, whoever put it there. */
export const OWN_CONTAINERS: readonly string[] = [REDIRECT_CONTAINER, SIDECAR_CONTAINER];
export const OWN_VOLUMES: readonly string[] = [STATE_VOLUME, IDENTITY_VOLUME];

/** Where the volumes are mounted, in our containers only. */
export const STATE_DIR = '/var/lib/sluice';
export const IDENTITY_DIR = '/var/run/secrets/sluice.dev';

/** Audience of the token: no other service takes it, and the injector takes no other. */
export const TOKEN_AUDIENCE = 'sluice.dev';
/** File names in the identity volume. */
export const TOKEN_FILE = 'token';
export const CA_FILE = 'ca.crt';
/** Life of a token, seconds; the kubelet puts a new one in place at 80 % of it. */
export const TOKEN_SECONDS = 3_600;

/** ConfigMap of each enabled namespace, and its key, that hold the CA. */
export const CA_CONFIG_MAP = 'sluice-ca';

/** The sidecar's settings that are TCP ports of the pod: their defaults. */
export const SIDECAR_PORTS = { inbound: 15006, canary: 15020, admin: 15021 } as const;
/** All TCP ports of the pod that the sidecar takes. */
export const OWN_PORTS: readonly number[] = [
  ...inboundPorts(SIDECAR_PORTS.inbound),
  SIDECAR_PORTS.canary,
  SIDECAR_PORTS.admin,
];
/** Name of the admin port, for scrapers; at most 15 characters. */
export const ADMIN_PORT_NAME = 'sluice-admin';
