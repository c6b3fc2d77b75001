/** Pods, each of which is more than a level of Pod Security allows in one thing, and some that are not. */

type Json = Readonly<Record<string, unknown>>;

/** One pod: its name in a test, its spec beside containers, and what is said of it. */
export interface PodSecurityCase {
  readonly what: string;
  readonly spec: Json;
  readonly annotations?: Readonly<Record<string, string>>;
  /** What refusals say of it, at the level. */
  readonly said: RegExp;
}

/** A container that both levels take. */
export const TIDY: Json = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
  capabilities: { drop: ['ALL'] },
};

/** One container with these fields. */
export function container(fields: Json = {}): Json {
  return { name: 'app', image: 'app', ...fields };
}

/** One container whose security context is tidy but for these fields. */
function secured(fields: Json): Json {
  return { containers: [container({ securityContext: { ...TIDY, ...fields } })] };
}

function ofPod(securityContext: Json): Json {
  return { securityContext, containers: [container({ securityContext: TIDY })] };
}

function volume(source: Json): Json {
  return { volumes: [{ name: 'v', ...source }], containers: [container({ securityContext: TIDY })] };
}

const adds = (...add: readonly string[]) => secured({ capabilities: { drop: ['ALL'], add } });

/** Refused at every level. The host network and host PID are guarded by more than Pod Security. */
export const BEYOND_BASELINE: readonly PodSecurityCase[] = [
  { what: 'hostIPC', spec: { ...secured({}), hostIPC: true }, said: /hostIPC/ },
  {
    what: 'a privileged container',
    spec: secured({ privileged: true, allowPrivilegeEscalation: true }),
    said: /app:? is privileged/,
  },
  ...['SYS_MODULE', 'BPF', 'SYS_PTRACE', 'NET_ADMIN', 'NET_RAW', 'DAC_READ_SEARCH', 'ALL'].map((name) => ({
    what: `the capability ${name}`,
    spec: adds('CHOWN', name),
    said: new RegExp(`app:? adds ${name}`),
  })),
  {
    what: 'a capability in small letters',
    spec: adds('sys_module'),
    said: /app:? adds sys_module/,
  },
  {
    what: 'a capability of an init container',
    spec: {
      initContainers: [container({ name: 'init', securityContext: { capabilities: { add: ['SYS_TIME'] } } })],
      containers: [container()],
    },
    said: /init:? adds SYS_TIME/,
  },
  { what: 'a host path', spec: volume({ hostPath: { path: '/' } }), said: /hostPath volume/ },
  {
    what: 'a host port',
    spec: {
      containers: [container({ ports: [{ containerPort: 80, hostPort: 80 }], securityContext: TIDY })],
    },
    said: /hostPort/,
  },
  {
    what: 'a probe of another host',
    spec: {
      containers: [
        container({ livenessProbe: { tcpSocket: { host: '10.0.0.1', port: 80 } }, securityContext: TIDY }),
      ],
    },
    said: /probes or hooks of another host/,
  },
  {
    what: 'a hook of another host',
    spec: {
      containers: [
        container({ lifecycle: { preStop: { httpGet: { host: 'h', port: 80 } } }, securityContext: TIDY }),
      ],
    },
    said: /probes or hooks of another host/,
  },
  { what: 'procMount', spec: { ...secured({ procMount: 'Unmasked' }), hostUsers: false }, said: /procMount/ },
  {
    what: 'no seccomp',
    spec: secured({ seccompProfile: { type: 'Unconfined' } }),
    said: /seccomp profile Unconfined/,
  },
  {
    what: 'no seccomp in the whole pod',
    spec: ofPod({ seccompProfile: { type: 'Unconfined' } }),
    said: /seccomp profile Unconfined/,
  },
  {
    what: 'no AppArmor',
    spec: secured({ appArmorProfile: { type: 'Unconfined' } }),
    said: /AppArmor profile Unconfined/,
  },
  {
    what: 'no AppArmor in the whole pod',
    spec: ofPod({ appArmorProfile: { type: 'Unconfined' } }),
    said: /AppArmor profile Unconfined/,
  },
  {
    what: 'no AppArmor by annotation',
    spec: secured({}),
    annotations: { 'container.apparmor.security.beta.kubernetes.io/app': 'unconfined' },
    said: /AppArmor profile Unconfined|annotation/,
  },
  { what: 'a SELinux type', spec: secured({ seLinuxOptions: { type: 'spc_t' } }), said: /SELinux/ },
  { what: 'a SELinux user of the pod', spec: ofPod({ seLinuxOptions: { user: 'u' } }), said: /SELinux/ },
  { what: 'a SELinux role', spec: secured({ seLinuxOptions: { role: 'r' } }), said: /SELinux/ },
  {
    what: 'a sysctl',
    spec: ofPod({ sysctls: [{ name: 'net.ipv4.conf.all.accept_source_route', value: '1' }] }),
    said: /sysctl/,
  },
];

/** Taken at `baseline`, refused at `restricted`. */
export const BEYOND_RESTRICTED: readonly PodSecurityCase[] = [
  { what: 'nothing said', spec: { containers: [container()] }, said: /allowPrivilegeEscalation/ },
  { what: 'a capability', spec: adds('CHOWN'), said: /app:? adds CHOWN/ },
  {
    what: 'capabilities kept',
    spec: secured({ capabilities: { drop: ['NET_RAW'] } }),
    said: /drop: \[ALL\]/,
  },
  {
    what: 'privilege escalation',
    spec: secured({ allowPrivilegeEscalation: true }),
    said: /allowPrivilegeEscalation/,
  },
  { what: 'root', spec: secured({ runAsNonRoot: false }), said: /runAsNonRoot/ },
  {
    what: 'root against the pod',
    spec: { ...secured({ runAsNonRoot: false }), securityContext: { runAsNonRoot: true } },
    said: /runAsNonRoot/,
  },
  { what: 'user 0', spec: secured({ runAsUser: 0 }), said: /runAsUser 0/ },
  { what: 'user 0 of the pod', spec: ofPod({ runAsUser: 0 }), said: /runAsUser 0/ },
  {
    what: 'no seccomp profile',
    spec: { containers: [container({ securityContext: { ...TIDY, seccompProfile: undefined } })] },
    said: /seccomp/,
  },
  { what: 'a volume of NFS', spec: volume({ nfs: { server: 's', path: '/' } }), said: /volume v/ },
];

/** Taken at every level. */
export const TIDY_PODS: readonly Pick<PodSecurityCase, 'what' | 'spec' | 'annotations'>[] = [
  { what: 'a container that says all itself', spec: secured({}) },
  {
    what: 'a container whose pod says it',
    spec: {
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'Localhost', localhostProfile: 'p' },
      },
      containers: [
        container({ securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }),
      ],
    },
  },
  { what: 'a low port', spec: adds('NET_BIND_SERVICE') },
  {
    what: 'a container SELinux type',
    spec: secured({ seLinuxOptions: { type: 'container_init_t', level: 's0' } }),
  },
  { what: 'AppArmor', spec: ofPod({ appArmorProfile: { type: 'RuntimeDefault' } }) },
  {
    what: 'a safe sysctl',
    spec: ofPod({ sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] }),
  },
  { what: 'volumes', spec: volume({ emptyDir: {} }) },
  {
    what: 'probes of itself',
    spec: { containers: [container({ livenessProbe: { httpGet: { port: 80 } }, securityContext: TIDY })] },
  },
];
