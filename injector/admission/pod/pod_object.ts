/**
 * A pod as admission sees it: what injection decides on, read field by field, and the object as it came.
 * Source: core v1 `Pod`.
 */
import { fieldsOf } from '../../../common/shape.ts';
import type { Field } from '../../../policy/index.ts';
import { type Parsed, parseObject } from '../../../policy/index.ts';
import type { ApiObject } from './api_object.ts';
import { probePorts } from './probe_ports.ts';

/** One container, whichever list it is in. */
export interface AdmittedContainer {
  readonly raw: ApiObject;
  readonly name: string;
  readonly privileged: boolean;
  /** `securityContext.capabilities.add`, without the prefix CAP_. */
  readonly capabilities: readonly string[];
  /** Names of the volumes it mounts. */
  readonly mounts: readonly string[];
  /** TCP `containerPort`s. */
  readonly tcpPorts: readonly number[];
  /** TCP ports that the kubelet dials for its probes and hooks. */
  readonly probePorts: readonly number[];
}

/**
 * What `spec.securityContext` says of the node's mandatory access control, for every container that says nothing else. Nothing
 * is said for ours where the pod says nothing: nodes without AppArmor refuse pods that ask for a profile of it.
 */
export interface PodConfinement {
  readonly hasAppArmorProfile?: boolean;
  /** There where the pod has `seLinuxOptions`; the level is what its volumes are labelled with. */
  readonly seLinuxOptions?: { readonly level?: string };
}

/** What injection decides on. Absent lists are empty. */
export interface AdmittedPod {
  readonly raw: ApiObject;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hostNetwork: boolean;
  /** Which of `shareProcessNamespace` and `hostPID` are true: with either, containers see each other's processes. */
  readonly sharedProcesses: readonly string[];
  readonly windows: boolean;
  /** `terminationGracePeriodSeconds`, 30 where it is absent. */
  readonly graceSeconds: number;
  readonly confinement: PodConfinement;
  readonly containers: readonly AdmittedContainer[];
  readonly initContainers: readonly AdmittedContainer[];
  readonly ephemeralContainers: readonly AdmittedContainer[];
  readonly volumes: readonly AdmittedVolume[];
}

/** One volume. */
export interface AdmittedVolume {
  readonly raw: ApiObject;
  readonly name: string;
  /** `projected.sources[].serviceAccountToken.audience`: whom its tokens are for. */
  readonly tokenAudiences: readonly string[];
}

/** The API's default of `terminationGracePeriodSeconds`. */
const GRACE_SECONDS = 30;

/** Reads a pod; its errors name fields. The name may be absent: the API server makes it from `generateName` later. */
export function parseAdmittedPod(value: unknown): Parsed<AdmittedPod> {
  return parseObject(value, readPod);
}

function readPod(object: Field): AdmittedPod {
  object.child('kind').word(['Pod']);
  const metadata = object.child('metadata');
  const spec = object.child('spec');
  if (spec.isAbsent) spec.required();
  metadata.object();
  spec.object();
  return {
    raw: fieldsOf(object.value),
    annotations: Object.fromEntries(
      metadata
        .child('annotations')
        .textMap()
        .map(([, key, value]) => [key, value]),
    ),
    hostNetwork: spec.child('hostNetwork').flag(),
    sharedProcesses: ['shareProcessNamespace', 'hostPID'].filter((field) => spec.child(field).flag()),
    windows: isWindows(spec),
    graceSeconds: spec.child('terminationGracePeriodSeconds').integer() ?? GRACE_SECONDS,
    confinement: readConfinement(spec.child('securityContext')),
    containers: readContainers(spec.child('containers')),
    initContainers: readContainers(spec.child('initContainers')),
    ephemeralContainers: readContainers(spec.child('ephemeralContainers')),
    volumes: readVolumes(spec.child('volumes')),
  };
}

function readConfinement(security: Field): PodConfinement {
  const [appArmor, seLinux] = [security.child('appArmorProfile'), security.child('seLinuxOptions')];
  for (const field of [security, appArmor, seLinux]) field.object();
  const level = seLinux.child('level').filledText();
  return {
    hasAppArmorProfile: !appArmor.isAbsent,
    ...(seLinux.isAbsent ? {} : { seLinuxOptions: level === undefined ? {} : { level } }),
  };
}

/** `os.name`, or the label that schedulers used before there was one. */
function isWindows(spec: Field): boolean {
  const os = spec.child('os');
  const selector = spec.child('nodeSelector');
  os.object();
  selector.object();
  return os.child('name').value === 'windows' || selector.child('kubernetes.io/os').value === 'windows';
}

function readContainers(list: Field): AdmittedContainer[] {
  return eachObject(list, (field) => {
    const security = field.child('securityContext');
    security.object();
    const capabilities = security.child('capabilities');
    capabilities.object();
    return {
      ...named(field),
      probePorts: probePorts(field.value),
      privileged: security.child('privileged').flag(),
      capabilities: capabilities
        .child('add')
        .items()
        .map((item) => (item.text() ?? '').toUpperCase().replace(/^CAP_/, '')),
      mounts: eachObject(field.child('volumeMounts'), (mount) => named(mount).name),
      tcpPorts: eachObject(field.child('ports'), (port) => {
        if (!['TCP', undefined, ''].includes(port.child('protocol').text())) return [];
        return port.child('containerPort').integer() ?? [];
      }),
    };
  });
}

function readVolumes(list: Field): AdmittedVolume[] {
  return eachObject(list, (field) => {
    const projected = field.child('projected');
    projected.object();
    const tokenAudiences = eachObject(projected.child('sources'), (source) => {
      const token = source.child('serviceAccountToken');
      return token.object() ? (token.child('audience').filledText() ?? []) : [];
    });
    return { ...named(field), tokenAudiences };
  });
}

/** Reads the items of a list that are objects; others are reported in their place. */
function eachObject<T>(list: Field, read: (item: Field) => T | readonly T[]): T[] {
  return list.items().flatMap((item) => (item.object() ? read(item) : []));
}

/** `null` is read as an API server reads it: as nothing but defaults, which it refuses for want of a name. */
function named(field: Field): { readonly raw: ApiObject; readonly name: string } {
  return { raw: fieldsOf(field.value), name: field.child('name').filledText() ?? '' };
}
