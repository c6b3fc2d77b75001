/**
 * The containers and volumes that injection adds. Every field that the API server would fill in is there, so that a
 * pod which comes back from it compares equal. Source: core v1 `Container`, `Volume`; the capabilities were tried on
 * containerd 2.1 (a container of another user than root gets none of them).
 */
import {
  ADMIN_PORT_NAME,
  CA_CONFIG_MAP,
  CA_FILE,
  IDENTITY_DIR,
  IDENTITY_VOLUME,
  REDIRECT_BY_SIDECAR,
  REDIRECT_CONTAINER,
  REDIRECT_SETTING,
  SIDECAR_CONTAINER,
  SIDECAR_NODE_ENV,
  SIDECAR_NODE_FLAGS,
  SIDECAR_PORTS,
  type SidecarEnv,
  STATE_DIR,
  STATE_VOLUME,
  TERMINATION_FILE,
  TOKEN_AUDIENCE,
  TOKEN_FILE,
  TOKEN_SECONDS,
} from '../../../common/contract.ts';
import type { Resources } from '../annotations/index.ts';
import type { ApiObject, PodConfinement } from '../pod/index.ts';
import type { InjectionConfig } from './injection_config.ts';

/** What one pod's sidecar is made from, its annotations applied. */
export interface SidecarPlan {
  readonly config: InjectionConfig;
  readonly environment: Readonly<Record<string, string>>;
  readonly resources: Resources;
  /** From the beginning of the pod's termination to SIGKILL. */
  readonly graceSeconds: number;
  /** What the pod sets for all its containers; absent: nothing. */
  readonly confinement?: PodConfinement;
}

/** The sidecar's bundle in the image, and the command that runs it. */
const BUNDLE = '/sluice/sidecar.mjs';
const COMMAND = ['node', ...SIDECAR_NODE_FLAGS, BUNDLE];

/**
 * The command of a native sidecar: `run`, which puts the redirect and the closed gate in force before all else. An image from before
 * it could does that in a step of its own first, unless all is in force already: the step would decide again which ports are direct,
 * while direct connections live on. Such an image may be on a node under the tag that is asked for. Both end with
 * the message and the exit code of the redirect when that fails. The shell is gone when the sidecar runs. docs/adr/0044
 */
const NATIVE_COMMAND = [
  'sh',
  '-c',
  `grep -qs ${REDIRECT_SETTING} ${BUNDLE} || ${COMMAND.join(' ')} redirect verify >/dev/null 2>&1 || ${COMMAND.join(' ')} redirect apply || exit; exec ${COMMAND.join(' ')} run`,
];

/**
 * Notes when the pod's termination begins. The kubelet runs it then, and sends SIGTERM when it has ended and the app too.
 * It is no program of ours: Node would take 60 MB of the memory limit, of which the sidecar leaves less than that free. It
 * succeeds in any case: where no time is noted, the drain counts from SIGTERM. Source: KEP-753; `killContainer` of
 * kuberuntime_container.go, Kubernetes 1.29 and later.
 */
const PRE_STOP = ['sh', '-c', `touch "$SLUICE_STATE_DIR/${TERMINATION_FILE}" || :`];

/**
 * The last table, twice while it is written again, each with its journal: 240 MiB for the largest that a sidecar keeps
 * (`SNAPSHOT_MAX_BYTES`), a few kB for most. Beyond the limit the kubelet evicts the pod. It reserves nothing. docs/adr/0041
 */
const STATE_SIZE_LIMIT = '256Mi';

/** rw-r--r--, the API's default. */
const VOLUME_MODE = 0o644;

/**
 * Of the pod's grace period, what the sidecar keeps for its own end: flows that are left by then are reset, recorded, and the
 * table is on disk before SIGKILL. Where the app itself takes so long that less is left, flows are reset at SIGTERM; the
 * kubelet always gives 2 s then, and the sidecar needs little more than one.
 */
const LAST_SECONDS = 5;
/** Most of SLUICE_DRAIN_SECONDS. */
const DRAIN_MAX_SECONDS = 3_600;

/** What runtimes give to containers that ask for no other. Source: container-selinux, `container_selinux(8)`. */
const SELINUX_TYPE = 'container_t';

/** iptables-legacy locks a file; the root file system is read-only. */
const XTABLES_LOCK = text('XTABLES_LOCKFILE', `${STATE_DIR}/xtables.lock`);

/** The redirect step is over in a second; a start that waits for more than this has failed. */
const REDIRECT_RESOURCES: Resources = {
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '1', memory: '128Mi' },
};

/**
 * The init container that puts the redirect and the closed gate in force, where the sidecar is an ordinary container: nothing gets
 * in or out unchecked.
 */
export function redirectContainer(plan: SidecarPlan): ApiObject {
  return {
    ...container(REDIRECT_CONTAINER, plan),
    command: COMMAND,
    args: ['redirect', 'apply'],
    env: [...environment(plan), XTABLES_LOCK],
    resources: REDIRECT_RESOURCES,
    securityContext: security(plan),
    volumeMounts: [{ name: STATE_VOLUME, mountPath: STATE_DIR }],
  };
}

/**
 * The sidecar. As a native sidecar (`restartPolicy: Always` in the init containers) it puts the redirect and the closed gate in
 * force itself, and no other container starts before its startupProbe has seen the first table in force.
 */
export function sidecarContainer(plan: SidecarPlan): ApiObject {
  const native = plan.config.mode === 'native';
  return {
    ...container(SIDECAR_CONTAINER, plan),
    ...(native
      ? {
          command: NATIVE_COMMAND,
          restartPolicy: 'Always',
          lifecycle: { preStop: { exec: { command: PRE_STOP } } },
        }
      : { command: COMMAND, args: ['run'] }),
    ports: [{ name: ADMIN_PORT_NAME, containerPort: SIDECAR_PORTS.admin, protocol: 'TCP' }],
    env: [
      fromField('SLUICE_POD_NAMESPACE', 'metadata.namespace'),
      fromField('SLUICE_POD_NAME', 'metadata.name'),
      text('SLUICE_INJECTOR_NAME', plan.config.injectorName),
      text('SLUICE_TOKEN_FILE', `${IDENTITY_DIR}/${TOKEN_FILE}`),
      text('SLUICE_CA_FILE', `${IDENTITY_DIR}/${CA_FILE}`),
      text('SLUICE_STATE_DIR', STATE_DIR),
      text('SLUICE_DRAIN_SECONDS', String(drainSeconds(plan))),
      ...(native ? [text(REDIRECT_SETTING, REDIRECT_BY_SIDECAR), XTABLES_LOCK] : []),
      ...environment(plan),
    ],
    resources: plan.resources,
    securityContext: security(plan),
    startupProbe: probe('/readyz', { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 300 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 2 }),
    // A restart ends live flows: only for a process that has not answered for a minute.
    livenessProbe: probe('/healthz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
    volumeMounts: [
      { name: STATE_VOLUME, mountPath: STATE_DIR },
      { name: IDENTITY_VOLUME, readOnly: true, mountPath: IDENTITY_DIR },
    ],
  };
}

/**
 * How long flows may go on from the beginning of the pod's termination. An ordinary sidecar gets SIGTERM then; a native one when
 * the app has ended, and its hook has noted the time.
 */
function drainSeconds({ graceSeconds }: SidecarPlan): number {
  return Math.min(Math.max(graceSeconds - LAST_SECONDS, 0), DRAIN_MAX_SECONDS);
}

/** What our containers mount. A pod whose namespace has no CA yet waits for it before any container starts. */
export function volumes(): readonly ApiObject[] {
  return [
    { name: STATE_VOLUME, emptyDir: { sizeLimit: STATE_SIZE_LIMIT } },
    {
      name: IDENTITY_VOLUME,
      projected: {
        sources: [
          {
            serviceAccountToken: {
              audience: TOKEN_AUDIENCE,
              expirationSeconds: TOKEN_SECONDS,
              path: TOKEN_FILE,
            },
          },
          { configMap: { name: CA_CONFIG_MAP, items: [{ key: CA_FILE, path: CA_FILE }] } },
        ],
        defaultMode: VOLUME_MODE,
      },
    },
  ];
}

function container(name: string, { config }: SidecarPlan): ApiObject {
  return {
    name,
    image: config.image,
    imagePullPolicy: config.imagePullPolicy,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

/**
 * What the redirect and the sidecar need to agree on. The ports stand here although they are the defaults: a Service named
 * `sluice-admin` would else set SLUICE_ADMIN_PORT in every pod of its namespace.
 */
function environment({ config, environment: own }: SidecarPlan): readonly ApiObject[] {
  return [
    // status.hostIPs came with 1.28, for clusters that have native sidecars.
    fromField('SLUICE_NODE_IPS', config.mode === 'native' ? 'status.hostIPs' : 'status.hostIP'),
    text('SLUICE_INBOUND_PORT', String(SIDECAR_PORTS.inbound)),
    text('SLUICE_CANARY_PORT', String(SIDECAR_PORTS.canary)),
    text('SLUICE_ADMIN_PORT', String(SIDECAR_PORTS.admin)),
    text('SLUICE_IPTABLES', config.iptables),
    // What an image or a mutating webhook sets here would be flags of Node's, such as --inspect.
    text('NODE_OPTIONS', ''),
    text('MALLOC_ARENA_MAX', SIDECAR_NODE_ENV.MALLOC_ARENA_MAX),
    // The gate always lets the pod get there, closed or open.
    text('SLUICE_INJECTOR_ADDRESS', config.injectorAddress),
    ...Object.entries({
      SLUICE_LOG_LEVEL: config.sidecarLogLevel,
      SLUICE_FLOW_LOG: config.sidecarFlowLog,
      ...own,
    }).map(([name, value]) => ({
      name,
      value,
    })),
  ];
}

function text(
  name: SidecarEnv | 'NODE_OPTIONS' | 'MALLOC_ARENA_MAX' | 'XTABLES_LOCKFILE',
  value: string,
): ApiObject {
  return { name, value };
}

function fromField(name: SidecarEnv, fieldPath: string): ApiObject {
  return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
}

/**
 * User 0 because others get no effective capability. NET_ADMIN does for nft, IP_TRANSPARENT and SO_MARK; only
 * iptables-legacy opens a raw socket, and only where it is set: `auto` finds nft or fails. All of it is said: the pod's own
 * settings are not inherited.
 */
function security({ config, confinement = {} }: SidecarPlan): ApiObject {
  const { hasAppArmorProfile = false, seLinuxOptions } = confinement;
  return {
    allowPrivilegeEscalation: false,
    ...(hasAppArmorProfile ? { appArmorProfile: { type: 'RuntimeDefault' } } : {}),
    capabilities: {
      add: config.iptables === 'legacy' ? ['NET_ADMIN', 'NET_RAW'] : ['NET_ADMIN'],
      drop: ['ALL'],
    },
    privileged: false,
    readOnlyRootFilesystem: true,
    runAsGroup: 0,
    runAsNonRoot: false,
    runAsUser: 0,
    ...(seLinuxOptions === undefined ? {} : { seLinuxOptions: { ...seLinuxOptions, type: SELINUX_TYPE } }),
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

function probe(
  path: string,
  times: { periodSeconds: number; timeoutSeconds: number; failureThreshold: number },
): ApiObject {
  return {
    httpGet: { path, port: SIDECAR_PORTS.admin, scheme: 'HTTP' },
    ...times,
    successThreshold: 1,
  };
}
