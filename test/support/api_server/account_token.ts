/** What the API server's own ServiceAccount plugin does to each new pod: a token volume, mounted in every container. */
import { randomBytes } from 'node:crypto';
import { type ApiObject, isRecord, type Json } from './api_object.ts';

/** Where containers find the token. */
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

const VOLUME_PREFIX = 'kube-api-access-';

const EXPIRATION_SECONDS = 3_607;

/** The pod with its token volume mounted wherever it is not yet; other objects as they are. */
export function withAccountToken(object: ApiObject | null): ApiObject | null {
  if (object?.kind !== 'Pod' || !isRecord(object.spec)) return object;
  const { spec } = object;
  if (spec.automountServiceAccountToken === false) return object;
  const volumes = listOf(spec.volumes);
  const volume =
    volumes.find(({ name }) => String(name).startsWith(VOLUME_PREFIX)) ??
    tokenVolume(`${VOLUME_PREFIX}${randomBytes(3).toString('hex').slice(0, 5)}`);
  let mounted = false;
  const mount = (container: Json): Json => {
    const mounts = listOf(container.volumeMounts);
    if (mounts.some(({ mountPath }) => mountPath === MOUNT_PATH)) return container;
    mounted = true;
    return {
      ...container,
      volumeMounts: [...mounts, { name: volume.name, mountPath: MOUNT_PATH, readOnly: true }],
    };
  };
  const containers = listOf(spec.containers).map(mount);
  const initContainers = listOf(spec.initContainers).map(mount);
  if (!mounted) return object;
  return {
    ...object,
    spec: {
      ...spec,
      containers,
      ...(spec.initContainers === undefined ? {} : { initContainers }),
      volumes: volumes.includes(volume) ? volumes : [...volumes, volume],
    },
  };
}

function tokenVolume(name: string): Json {
  const sources = [
    { serviceAccountToken: { expirationSeconds: EXPIRATION_SECONDS, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: {
        items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
      },
    },
  ];
  return { name, projected: { sources, defaultMode: 420 } };
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
