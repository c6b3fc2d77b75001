/** Pods that try what the webhook has to refuse, in all combinations. */
import type { Random } from './random.ts';

type Json = Record<string, unknown>;

/** What mutations of reviews may put in place. */
export const REVIEW_ODDITIES = {
  values: [
    'sluice-sidecar',
    'sluice-redirect',
    'sluice-state',
    'NET_ADMIN',
    JSON.parse('{"__proto__":{"privileged":true}}'),
  ],
  keys: [
    'securityContext',
    'initContainers',
    'metadata',
    'hostNetwork',
    'hostPID',
    'volumes',
    'ephemeralContainers',
  ],
};

const CONTAINER_NAMES = ['app', 'init', 'sluice-redirect', 'sluice-sidecar', 'SLUICE-SIDECAR'];
const CAPABILITIES = ['NET_ADMIN', 'CAP_NET_RAW', 'sys_admin', 'ALL', 'SYS_PTRACE', 'CHOWN'];

function some(random: Random, percent: number, part: () => Json): Json {
  return random.chance(percent) ? part() : {};
}

function container(random: Random): Json {
  return {
    name: random.pick(CONTAINER_NAMES),
    image: 'x',
    ...some(random, 30, () => ({ restartPolicy: 'Always' })),
    ...some(random, 40, () => ({
      securityContext: {
        ...some(random, 20, () => ({ privileged: random.chance(50) })),
        ...some(random, 50, () => ({ capabilities: { add: [random.pick(CAPABILITIES)], drop: ['ALL'] } })),
      },
    })),
    ...some(random, 30, () => ({
      volumeMounts: [{ name: random.pick(['sluice-state', 'sluice-identity', 'v']), mountPath: '/v' }],
    })),
    ...some(random, 30, () => ({
      ports: [
        {
          containerPort: random.pick([80, 15_006, 15_020, 15_021]),
          ...some(random, 30, () => ({ protocol: random.pick(['TCP', 'UDP']) })),
        },
      ],
    })),
  };
}

function annotations(random: Random): Json {
  return {
    ...some(random, 30, () => ({ 'sluice.dev/inject': random.pick(['disabled', 'enabled', 'x']) })),
    ...some(random, 20, () => ({ 'sluice.dev/excluded-ports': random.pick(['80', '80', '15006', 'x', '']) })),
    ...some(random, 20, () => ({
      'sluice.dev/path': random.pick(['direct', 'auto,80=proxy', '80=direct', '15021=direct', 'fast', '']),
    })),
    ...some(random, 20, () => ({
      'sluice.dev/memory-limit': random.pick(['1', '128Mi', '1e3', '-1', '9999999Ei', 'x']),
    })),
    ...some(random, 20, () => ({ 'sluice.dev/status': '{}' })),
  };
}

function volumes(random: Random): Json[] {
  const token = { audience: random.pick(['sluice.dev', 'x', '']), path: 't' };
  return [
    { name: random.pick(['v', 'sluice-state']), emptyDir: {} },
    ...(random.chance(30) ? [{ name: 't', projected: { sources: [{ serviceAccountToken: token }] } }] : []),
  ];
}

/** A pod as somebody may apply it. */
export function oddPod(random: Random): Json {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', ...some(random, 60, () => ({ annotations: annotations(random) })) },
    spec: {
      containers: [container(random), ...(random.chance(30) ? [container(random)] : [])],
      ...some(random, 40, () => ({ initContainers: [container(random), container(random)] })),
      ...some(random, 10, () => ({ ephemeralContainers: [container(random)] })),
      ...some(random, 10, () => ({ hostNetwork: random.chance(50) })),
      ...some(random, 10, () => ({ shareProcessNamespace: random.chance(80) })),
      ...some(random, 5, () => ({ hostPID: true })),
      ...some(random, 30, () => ({ volumes: volumes(random) })),
    },
  };
}
