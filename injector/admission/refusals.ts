/** What cannot be enforced: why a pod of an enabled namespace is refused, in sentences for whoever applied it. */
import { NAMESPACE_ANNOTATIONS } from './annotations.ts';
import { OWN_PORTS, OWN_VOLUMES, TOKEN_AUDIENCE } from './names.ts';
import type { AdmittedContainer, AdmittedPod, AdmittedVolume } from './pod_object.ts';

/**
 * Capabilities with which a container can undo the enforcement of its own pod: rules (NET_ADMIN), packets past them
 * and the sidecar's mark (NET_RAW), both by another way (SYS_ADMIN). Source: capabilities(7), packet(7).
 */
const BYPASSING = ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'ALL'];

/**
 * @param pod without what injection adds
 * @param allowPrivileged of its namespace
 * @returns one sentence each; empty when the pod can be enforced
 */
export function refusals(pod: AdmittedPod, allowPrivileged: boolean): readonly string[] {
  const containers = [...pod.containers, ...pod.initContainers, ...pod.ephemeralContainers];
  return [
    ...(pod.windows
      ? ['Windows pods have no network namespace that could be enforced: put it into a namespace that is not']
      : []),
    ...(allowPrivileged ? [] : [...sharedProcesses(pod), ...containers.flatMap(bypass)]),
    ...containers.flatMap(takenPorts),
    ...containers.flatMap(takenVolumes),
    ...pod.volumes.flatMap(takenIdentity),
  ];
}

/** A process of the sidecar's user that sees the sidecar needs no capability to signal it, or to read its files through /proc. */
function sharedProcesses({ sharedProcesses: fields }: AdmittedPod): readonly string[] {
  return fields.map(
    (field) =>
      `${field} shows the sidecar's process to the other containers, which can stop it or take it over: leave it out, ` +
      `or annotate the namespace with ${NAMESPACE_ANNOTATIONS.allowPrivileged.annotation}=true`,
  );
}

function bypass({ name, privileged, capabilities }: AdmittedContainer): readonly string[] {
  const found = privileged
    ? ['is privileged']
    : capabilities
        .filter((capability) => BYPASSING.includes(capability))
        .map((capability) => `adds ${capability}`);
  return found.map(
    (what) =>
      `container ${name} ${what}, with which it can take the enforcement out of its pod: leave that out, ` +
      `or annotate the namespace with ${NAMESPACE_ANNOTATIONS.allowPrivileged.annotation}=true`,
  );
}

function takenPorts({ name, tcpPorts }: AdmittedContainer): readonly string[] {
  return tcpPorts
    .filter((port) => OWN_PORTS.includes(port))
    .map((port) => `container ${name} has port ${port}, which the sidecar needs: give it another one`);
}

/** They hold the table that is in force after a restart, and the pod's token. */
function takenVolumes({ name, mounts }: AdmittedContainer): readonly string[] {
  return OWN_VOLUMES.filter((volume) => mounts.includes(volume)).map(
    (volume) => `container ${name} mounts ${volume}, which is the sidecar's own: use another volume`,
  );
}

/** Whoever has such a token is the sidecar to the injector: it takes the sidecar's tables, and vouches in its place. */
function takenIdentity({ name, tokenAudiences }: AdmittedVolume): readonly string[] {
  if (!tokenAudiences.includes(TOKEN_AUDIENCE)) return [];
  return [
    `volume ${name} has a token for the audience ${TOKEN_AUDIENCE}, with which its pod's sidecar can be displaced: ` +
      'that audience is for the sidecar alone',
  ];
}
