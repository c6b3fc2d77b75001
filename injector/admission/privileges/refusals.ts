/** What cannot be enforced: why a pod of an enabled namespace is refused, in sentences for the person who applied it. */
import { OWN_CONTAINERS, OWN_PORTS, OWN_VOLUMES, TOKEN_AUDIENCE } from '../../../common/contract.ts';
import { NAMESPACE_ANNOTATIONS } from '../annotations/index.ts';
import type { AdmittedContainer, AdmittedPod, AdmittedVolume } from '../pod/index.ts';
import { type PodSecurityFault, type PodSecurityLevel, podSecurityFaults } from './pod_security.ts';

/**
 * Faults with which a container can undo the enforcement of its own pod: rules (NET_ADMIN), packets past them and the
 * sidecar's mark (NET_RAW), both by another way (SYS_ADMIN). Source: capabilities(7), packet(7).
 */
const BYPASSING = ['is privileged', 'adds NET_ADMIN', 'adds NET_RAW', 'adds SYS_ADMIN', 'adds ALL'];

/**
 * @param pod without what injection adds
 * @returns one sentence each; empty when the pod can be enforced
 */
export function refusals(pod: AdmittedPod): readonly string[] {
  const containers = [...pod.containers, ...pod.initContainers, ...pod.ephemeralContainers];
  return [
    ...(pod.windows
      ? ['Windows pods have no network namespace that could be enforced: put it into a namespace that is not']
      : []),
    // In classic mode the sidecar would be the only one, and who names no container to `exec` would get into it.
    ...(pod.containers.length === 0
      ? [`it has no container of its own: give it one that is named neither ${OWN_CONTAINERS.join(' nor ')}`]
      : []),
    ...containers.flatMap(takenPorts),
    ...containers.flatMap(takenVolumes),
    ...pod.volumes.flatMap(takenIdentity),
  ];
}

/** Something that a pod has only where its namespace has `allow-privileged`. */
export interface Privilege {
  /** Such as `container app adds SYS_MODULE`. */
  readonly what: string;
  /** For the user who applied the pod to a namespace that does not allow it. */
  readonly refusal: string;
}

/**
 * What of a pod could undo its own enforcement, or is more than the namespace's level of Pod Security allows.
 * @param pod without what injection adds
 */
export function privileges(pod: AdmittedPod, level: PodSecurityLevel): readonly Privilege[] {
  const faults = podSecurityFaults(pod, level).map(
    (fault): Privilege => ({ what: `${fault.subject} ${fault.what}`, refusal: orAllow(refusalOf(fault)) }),
  );
  const shared = pod.sharedProcesses
    .filter((field) => field !== 'hostPID') // a fault in any case
    .map((field): Privilege => ({ what: `pod has ${field}`, refusal: orAllow(sharing(field)) }));
  return [...shared, ...faults];
}

function orAllow(sentence: string): string {
  return `${sentence}, or annotate the namespace with ${NAMESPACE_ANNOTATIONS.allowPrivileged.annotation}=true`;
}

function refusalOf({ subject, what, level }: PodSecurityFault): string {
  if (what === 'has hostPID') return sharing('hostPID');
  if (what === 'has hostNetwork')
    return "hostNetwork gives it the node's address, which every pod of that node lets in and no policy can isolate: leave it out";
  const plain = what.toUpperCase().replace('ADDS CAP_', 'ADDS ');
  const bypassing = BYPASSING.find((one) => one.toUpperCase() === plain);
  return bypassing === undefined
    ? `${subject} ${what}, which Pod Security '${level}' does not allow here: change that`
    : `${subject} ${bypassing}, with which it can take the enforcement out of its pod: leave that out`;
}

/** A process of the sidecar's user that sees the sidecar needs no capability to signal it, or to read its files through /proc. */
function sharing(field: string): string {
  return `${field} shows the sidecar's process to the other containers, which can stop it or take it over: leave it out`;
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

/** The injector takes any holder of such a token for the sidecar: the holder gets the sidecar's tables and vouches in its place. */
function takenIdentity({ name, tokenAudiences }: AdmittedVolume): readonly string[] {
  if (!tokenAudiences.includes(TOKEN_AUDIENCE)) return [];
  return [
    `volume ${name} has a token for the audience ${TOKEN_AUDIENCE}, with which its pod's sidecar can be displaced: ` +
      'that audience is for the sidecar alone',
  ];
}
