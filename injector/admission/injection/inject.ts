/**
 * Injection: a pod, and what its namespace allows, to what is to be done with it. Pure. A pod that is injected already
 * is built again, so that the second of two calls changes nothing, and a container that only looks like ours is replaced.
 */

import { isDeepStrictEqual } from 'node:util';
import {
  OWN_CONTAINERS,
  OWN_VOLUMES,
  REDIRECT_CONTAINER,
  SIDECAR_CONTAINER,
  STATE_VOLUME,
} from '../../../common/contract.ts';
import { fieldsOf } from '../../../common/shape.ts';
import { shown } from '../../../common/shown.ts';
import {
  allows,
  annotatedEnvironment,
  annotatedResources,
  chosenPath,
  EVICTABLE_VOLUMES_ANNOTATION,
  excludedPorts,
  NAMESPACE_ANNOTATIONS,
  nodeTraffic,
  OPT_OUT_ANNOTATION,
  OPT_OUT_VALUE,
  STATUS_ANNOTATION,
  unknownAnnotations,
  withEvictableVolume,
} from '../annotations/index.ts';
import type { AdmittedPod, ApiObject } from '../pod/index.ts';
import type { PodSecurityLevel } from '../privileges/index.ts';
import { privileges, refusals, withoutRawSockets } from '../privileges/index.ts';
import { redirectContainer, type SidecarPlan, sidecarContainer, volumes } from './containers.ts';
import type { InjectionConfig } from './injection_config.ts';

/** One operation of a JSON patch. Source: RFC 6902. */
export interface PatchOperation {
  readonly op: 'add' | 'replace';
  readonly path: string;
  readonly value: unknown;
}

/** What is done with a pod. `privileges`: what it has by its namespace's `allow-privileged`. */
export type Injection =
  /** `patch` is empty when the pod is already as it should be. */
  | {
      readonly kind: 'injected';
      readonly patch: readonly PatchOperation[];
      /** What its author should know. */
      readonly warnings: readonly string[];
      readonly privileges: readonly string[];
    }
  /** Left alone: `optOut` by its own annotation, else because policy cannot select it. */
  | {
      readonly kind: 'skipped';
      readonly reason: string;
      readonly optOut: boolean;
      readonly privileges: readonly string[];
    }
  | { readonly kind: 'refused'; readonly reasons: readonly string[] };

/**
 * @param namespaceAnnotations of the pod's namespace: who may opt out, who may have privileges
 * @param level of Pod Security, to which the namespace's pods are held
 */
export function inject(
  pod: AdmittedPod,
  namespaceAnnotations: Readonly<Record<string, string>>,
  config: InjectionConfig,
  level: PodSecurityLevel = 'baseline',
): Injection {
  const optOut = pod.annotations[OPT_OUT_ANNOTATION];
  const isLeftOut = optOut === OPT_OUT_VALUE && allows(namespaceAnnotations, 'allowOptOut');
  const isLeftAlone = pod.hostNetwork || isLeftOut;
  // What only has a name of ours is replaced where a pod is injected. Elsewhere it stays, and is held to the level; and there
  // is no sidecar that other containers could see.
  const bare = isLeftAlone ? { ...pod, sharedProcesses: [] } : withoutOwn(pod);
  const needed = privileges(bare, level);
  const isPrivilegeAllowed = allows(namespaceAnnotations, 'allowPrivileged');
  const missing = isPrivilegeAllowed ? [] : needed.map(({ refusal }) => refusal);
  const had = needed.map(({ what }) => what);
  if (isLeftAlone) {
    if (missing.length > 0) return { kind: 'refused', reasons: missing };
    const reason = pod.hostNetwork
      ? 'host-network pods are the node: policy never selects them'
      : `annotation ${OPT_OUT_ANNOTATION}=${OPT_OUT_VALUE}`;
    return { kind: 'skipped', reason, optOut: !pod.hostNetwork, privileges: had };
  }

  const env = annotatedEnvironment(pod.annotations);
  const excluded = excludedPorts(pod.annotations, allows(namespaceAnnotations, 'allowExcludedPorts'));
  const path = chosenPath(pod.annotations, namespaceAnnotations);
  const node = nodeTraffic(pod.annotations, namespaceAnnotations, podProbePorts(bare));
  const resources = annotatedResources(pod.annotations, config.resources);
  const reasons = [
    ...optOutProblems(optOut),
    ...env.problems,
    ...excluded.problems,
    ...path.problems,
    ...node.problems,
    ...resources.problems,
    ...missing,
    ...refusals(bare),
  ];
  if (reasons.length > 0) return { kind: 'refused', reasons };
  const environment = {
    ...env.environment,
    ...excluded.environment,
    ...path.environment,
    ...node.environment,
  };
  const { graceSeconds, confinement } = pod;
  const plan = { config, environment, resources: resources.resources, graceSeconds, confinement };
  const held = isPrivilegeAllowed ? bare : withoutRights(bare);
  const warnings = unknownAnnotations(pod.annotations);
  return { kind: 'injected', patch: difference(pod.raw, built(held, plan)), warnings, privileges: had };
}

/** What the kubelet dials in the pod; the sidecar adds its own. */
export function podProbePorts({ containers, initContainers }: AdmittedPod): readonly number[] {
  return [...containers, ...initContainers].flatMap((container) => container.probePorts);
}

function optOutProblems(value: string | undefined): readonly string[] {
  switch (value) {
    case undefined:
    case 'enabled':
      return [];
    case OPT_OUT_VALUE:
      return [
        `annotation ${OPT_OUT_ANNOTATION} is '${OPT_OUT_VALUE}', which its namespace does not allow: ` +
          `leave it out, or annotate the namespace with ${NAMESPACE_ANNOTATIONS.allowOptOut.annotation}=true`,
      ];
    default:
      return [`annotation ${OPT_OUT_ANNOTATION} is '${shown(value)}': wants enabled or ${OPT_OUT_VALUE}`];
  }
}

/** An annotation of a pod that sets the AppArmor profile of one container, as before 1.30. */
const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

/** By name: what has a name of ours is ours to replace, no matter who put it there. */
function withoutOwn(pod: AdmittedPod): AdmittedPod {
  const foreign = ({ name }: { name: string }) => !OWN_CONTAINERS.includes(name);
  const confining = OWN_CONTAINERS.map((name) => `${APPARMOR_ANNOTATION}${name}`);
  return {
    ...pod,
    annotations: Object.fromEntries(
      Object.entries(pod.annotations).filter(([key]) => !confining.includes(key)),
    ),
    containers: pod.containers.filter(foreign),
    initContainers: pod.initContainers.filter(foreign),
    volumes: pod.volumes.filter(({ name }) => !OWN_VOLUMES.includes(name)),
  };
}

/** Its containers keep no capability with which they would get past the sidecar. */
function withoutRights(pod: AdmittedPod): AdmittedPod {
  const held = (list: AdmittedPod['containers']): AdmittedPod['containers'] =>
    list.map((container) => ({ ...container, raw: withoutRawSockets(container.raw) }));
  return { ...pod, containers: held(pod.containers), initContainers: held(pod.initContainers) };
}

/** The fields that injection sets, by path from the pod. */
function built(bare: AdmittedPod, plan: SidecarPlan): ReadonlyMap<string, unknown> {
  const native = plan.config.mode === 'native';
  // A native sidecar puts the redirect in force itself.
  const first = native ? sidecarContainer(plan) : redirectContainer(plan);
  const beside = native ? [] : [sidecarContainer(plan)];
  const status = {
    version: plan.config.version,
    mode: plan.config.mode,
    initContainers: [native ? SIDECAR_CONTAINER : REDIRECT_CONTAINER],
    containers: native ? [] : [SIDECAR_CONTAINER],
    volumes: OWN_VOLUMES,
  };
  const raw = (list: readonly { readonly raw: ApiObject }[]) => list.map((item) => item.raw);
  const annotations = {
    ...bare.annotations,
    // The state is worth nothing elsewhere: an injector sends it again.
    [EVICTABLE_VOLUMES_ANNOTATION]: withEvictableVolume(
      bare.annotations[EVICTABLE_VOLUMES_ANNOTATION],
      STATE_VOLUME,
    ),
    [STATUS_ANNOTATION]: JSON.stringify(status),
  };
  return new Map<string, unknown>([
    ['metadata/annotations', annotations],
    ['spec/initContainers', [first, ...raw(bare.initContainers)]],
    ['spec/containers', [...beside, ...raw(bare.containers)]],
    ['spec/volumes', [...raw(bare.volumes), ...volumes()]],
  ]);
}

/** Whole fields: a list that changed is put in place as one, so no index can be off. `metadata` may be absent. */
function difference(pod: ApiObject, wanted: ReadonlyMap<string, unknown>): readonly PatchOperation[] {
  const patch: PatchOperation[] = [];
  if (pod.metadata === undefined || pod.metadata === null)
    patch.push({ op: 'add', path: '/metadata', value: {} });
  for (const [path, value] of wanted) {
    const [parent = '', field = ''] = path.split('/');
    const current = fieldsOf(pod[parent])[field];
    if (isDeepStrictEqual(current, value)) continue;
    patch.push({ op: current === undefined ? 'add' : 'replace', path: `/${path}`, value });
  }
  return patch;
}
