/**
 * What a container may be in an enabled namespace. The sidecar needs NET_ADMIN, so the namespace has to be `privileged` to
 * Pod Security: this holds everybody else to what Pod Security would have. manifests/ has the same as an admission policy, for
 * what comes after the webhook; a test compares the two. Source: Kubernetes, Pod Security Standards, as of 1.36.
 */
import { fieldsOf } from '../../../common/shape.ts';
import type { AdmittedPod, ApiObject } from '../pod/index.ts';

/** A level of the Pod Security Standards. */
export type PodSecurityLevel = 'baseline' | 'restricted';

/** Label of a namespace: the level of its pods, `baseline` where there is none. */
export const POD_SECURITY_LABEL = 'sluice.dev/pod-security';

/** Values that the label can have. */
export const POD_SECURITY_LEVELS: readonly string[] = ['baseline', 'restricted'] satisfies PodSecurityLevel[];

/** The level of a namespace's pods. A value that means nothing is taken for the stricter one. */
export function podSecurityLevel(labels: Readonly<Record<string, string>>): PodSecurityLevel {
  return (labels[POD_SECURITY_LABEL] ?? 'baseline') === 'baseline' ? 'baseline' : 'restricted';
}

/** One thing that a level does not allow. */
export interface PodSecurityFault {
  /** `pod`, or `container NAME`. */
  readonly subject: string;
  /** Said of it: `adds SYS_MODULE`. */
  readonly what: string;
  /** The lowest level that does not allow it. */
  readonly level: PodSecurityLevel;
}

const CAPABILITIES: readonly unknown[] = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

const SYSCTLS: readonly unknown[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
];

const SELINUX_TYPES: readonly unknown[] = [
  '',
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
];

/** Profiles of seccomp and AppArmor. */
const PROFILES: readonly unknown[] = ['RuntimeDefault', 'Localhost'];

const RESTRICTED_VOLUMES: readonly string[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

const APPARMOR_ANNOTATIONS = 'container.apparmor.security.beta.kubernetes.io/';

/** @param pod without what injection adds; what is of a wrong type is passed over: the API server takes no such pod */
export function podSecurityFaults(pod: AdmittedPod, level: PodSecurityLevel): readonly PodSecurityFault[] {
  const containers = [...pod.containers, ...pod.initContainers, ...pod.ephemeralContainers];
  const about =
    (subject: string, of: PodSecurityLevel) =>
    (what: string): PodSecurityFault => ({ subject, what, level: of });
  const baseline = [
    ...baselineOfPod(pod).map(about('pod', 'baseline')),
    ...containers.flatMap(({ name, raw }) =>
      baselineOfContainer(raw).map(about(`container ${name}`, 'baseline')),
    ),
  ];
  if (level === 'baseline') return baseline;
  const inherited = fieldsOf(fieldsOf(pod.raw.spec).securityContext);
  return [
    ...baseline,
    ...restrictedOfPod(pod).map(about('pod', 'restricted')),
    ...containers.flatMap(({ name, raw }) =>
      restrictedOfContainer(raw, inherited).map(about(`container ${name}`, 'restricted')),
    ),
  ];
}

function baselineOfPod({ raw, annotations, volumes }: AdmittedPod): readonly string[] {
  const spec = fieldsOf(raw.spec);
  const security = fieldsOf(spec.securityContext);
  const profiles = Object.entries(annotations).filter(
    ([key, value]) =>
      key.startsWith(APPARMOR_ANNOTATIONS) && !/^(|runtime\/default|localhost\/.*)$/s.test(value),
  );
  return [
    ...['hostNetwork', 'hostPID', 'hostIPC']
      .filter((field) => spec[field] === true)
      .map((field) => `has ${field}`),
    ...volumes
      .filter((volume) => isSet(volume.raw.hostPath))
      .map(({ name }) => `has the hostPath volume ${name}`),
    ...list(security.sysctls)
      .filter(({ name }) => !SYSCTLS.includes(name))
      .map(({ name }) => `sets the sysctl ${String(name)}`),
    ...profiles.map(([key]) => `has the annotation ${key}, which is no profile of the runtime`),
    ...confinement(security),
  ];
}

function baselineOfContainer(container: ApiObject): readonly string[] {
  const security = fieldsOf(container.securityContext);
  const procMount = security.procMount ?? 'Default';
  return [
    ...(security.privileged === true ? ['is privileged'] : []),
    ...added(security)
      .filter((name) => !CAPABILITIES.includes(name))
      .map((name) => `adds ${String(name)}`),
    ...list(container.ports)
      .filter(({ hostPort }) => (hostPort ?? 0) !== 0)
      .map(({ hostPort }) => `has hostPort ${String(hostPort)}`),
    ...(procMount === 'Default' ? [] : [`has procMount ${String(procMount)}`]),
    ...(dialledHosts(container).some((host) => (host ?? '') !== '')
      ? ['has probes or hooks of another host']
      : []),
    ...confinement(security),
  ];
}

/** Of a pod's `securityContext`, or a container's. */
function confinement(security: ApiObject): readonly string[] {
  const seccomp = fieldsOf(security.seccompProfile).type ?? 'RuntimeDefault';
  const appArmor = fieldsOf(security.appArmorProfile).type ?? 'RuntimeDefault';
  const { type = '', user, role } = fieldsOf(security.seLinuxOptions);
  return [
    ...(PROFILES.includes(seccomp) ? [] : [`has the seccomp profile ${String(seccomp)}`]),
    ...(PROFILES.includes(appArmor) ? [] : [`has the AppArmor profile ${String(appArmor)}`]),
    ...(SELINUX_TYPES.includes(type ?? '') && !user && !role ? [] : ['has SELinux options of its own']),
    ...(fieldsOf(security.windowsOptions).hostProcess === true ? ['has hostProcess'] : []),
  ];
}

/** `host` of what the kubelet dials for a container. */
function dialledHosts({
  livenessProbe,
  readinessProbe,
  startupProbe,
  lifecycle,
}: ApiObject): readonly unknown[] {
  const { postStart, preStop } = fieldsOf(lifecycle);
  return [livenessProbe, readinessProbe, startupProbe, postStart, preStop].flatMap((handler) => [
    fieldsOf(fieldsOf(handler).httpGet).host,
    fieldsOf(fieldsOf(handler).tcpSocket).host,
  ]);
}

function restrictedOfPod({ raw, volumes }: AdmittedPod): readonly string[] {
  const { runAsUser } = fieldsOf(fieldsOf(raw.spec).securityContext);
  const isOther = (volume: ApiObject) =>
    Object.keys(volume).some(
      (key) => key !== 'name' && isSet(volume[key]) && !RESTRICTED_VOLUMES.includes(key),
    );
  return [
    ...volumes
      .filter((volume) => isOther(volume.raw))
      .map(({ name }) => `has the volume ${name} of a kind that reaches beyond the pod`),
    ...(runAsUser === 0 ? ['has runAsUser 0'] : []),
  ];
}

/** @param inherited the pod's `securityContext` */
function restrictedOfContainer(container: ApiObject, inherited: ApiObject): readonly string[] {
  const security = fieldsOf(container.securityContext);
  const dropped = fieldsOf(security.capabilities).drop;
  const seccomp = fieldsOf(security.seccompProfile).type ?? fieldsOf(inherited.seccompProfile).type;
  return [
    ...(security.allowPrivilegeEscalation === false ? [] : ['lacks allowPrivilegeEscalation: false']),
    ...((security.runAsNonRoot ?? inherited.runAsNonRoot) === true ? [] : ['lacks runAsNonRoot: true']),
    ...(security.runAsUser === 0 ? ['has runAsUser 0'] : []),
    ...(seccomp === undefined || seccomp === null ? ['lacks a seccomp profile'] : []),
    ...(Array.isArray(dropped) && dropped.includes('ALL') ? [] : ['lacks capabilities.drop: [ALL]']),
    ...added(security)
      .filter((name) => CAPABILITIES.includes(name) && name !== 'NET_BIND_SERVICE')
      .map((name) => `adds ${String(name)}`),
  ];
}

function added(security: ApiObject): readonly unknown[] {
  const { add } = fieldsOf(security.capabilities);
  return Array.isArray(add) ? add : [];
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function list(value: unknown): readonly ApiObject[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}
