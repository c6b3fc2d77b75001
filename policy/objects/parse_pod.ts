/** Reads Pod objects, as much of them as a verdict needs. Source: core v1 `Pod`. */

import { PROTOCOLS } from '../../common/net.ts';
import { canonicalAddress, parseAddress } from '../addresses/index.ts';
import { objectKey } from '../key.ts';
import type { ContainerPort, Labels, Pod } from '../model.ts';
import type { Field } from './field.ts';
import { checkType, readNamespacedMetadata, TIMESTAMP } from './parse_metadata.ts';
import { type Parsed, parseObject } from './parsed.ts';
import { portNameProblems, portNumberProblems } from './syntax.ts';

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const;

/** The short names of kinds that kubectl takes. */
const SHORT_KINDS: Readonly<Record<string, string>> = {
  Deployment: 'deploy',
  ReplicaSet: 'rs',
  StatefulSet: 'sts',
  DaemonSet: 'ds',
  ReplicationController: 'rc',
};

/** Reads an address field; its canonical text. Undefined when absent or not an address. */
export function readAddress(field: Field): string | undefined {
  const text = field.filledText();
  if (text === undefined) return undefined;
  if (parseAddress(text) !== undefined) return canonicalAddress(text);
  field.invalid('must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  return undefined;
}

/** `status.podIP` and `status.podIPs`, or the host's: the single field is the first of the list. */
function readAddresses(status: Field, single: string, list: string): string[] {
  const listed = status
    .child(list)
    .items()
    .map((item) => (item.object() ? readAddress(item.child('ip')) : undefined));
  const all = [readAddress(status.child(single)), ...listed];
  return [...new Set(all.filter((address) => address !== undefined))];
}

/** Whether the pod's network is set up, and since when: the condition PodReadyToStartContainers. Source: KEP-3085. */
function networkCondition(status: Field): { readonly state: unknown; readonly since: unknown } | undefined {
  const conditions = status.child('conditions');
  const network = (Array.isArray(conditions.value) ? conditions.items() : []).find(
    (condition) => condition.child('type').value === 'PodReadyToStartContainers',
  );
  if (network === undefined) return undefined;
  return { state: network.child('status').value, since: network.child('lastTransitionTime').value };
}

/**
 * When a pod got its addresses: the time at which its network was last set up, for example after its node started again; where
 * the status does not say, `status.startTime`. What is not a time counts as absent, so that no verdict fails because of it.
 */
function readAddressedAt(status: Field): string | undefined {
  const network = networkCondition(status);
  const since = network?.state === 'True' ? network.since : undefined;
  return [since, status.child('startTime').value].find(
    (time): time is string => typeof time === 'string' && TIMESTAMP.test(time),
  );
}

function readContainerPort(field: Field): ContainerPort | undefined {
  if (!field.object()) return undefined;
  const portField = field.child('containerPort');
  const port = portField.integer();
  // containerPort: required.
  if (portField.isAbsent) portField.required();
  if (port !== undefined) portField.invalidAll(portNumberProblems(port));
  const nameField = field.child('name');
  const name = nameField.filledText();
  if (name !== undefined) nameField.invalidAll(portNameProblems(name));
  const protocolField = field.child('protocol');
  // protocol: TCP where it is left out.
  const protocol = protocolField.value === '' ? 'TCP' : (protocolField.word(PROTOCOLS) ?? 'TCP');
  if (port === undefined) return undefined;
  return { ...(name === undefined ? {} : { name }), port, protocol };
}

function readPorts(spec: Field): ContainerPort[] {
  const containers = spec.child('containers').items();
  // restartPolicy Always makes an init container a native sidecar: it runs beside the containers, so its ports count.
  const sidecars = spec
    .child('initContainers')
    .items()
    .filter((container) => container.child('restartPolicy').value === 'Always');
  return [...containers, ...sidecars]
    .filter((container) => container.object())
    .flatMap((container) => container.child('ports').items().map(readContainerPort))
    .filter((port) => port !== undefined);
}

/** The name of the Deployment a ReplicaSet was made by: its own name without the pod-template-hash. */
function deploymentName(replicaSet: string, labels: Labels): string | undefined {
  const hash = Object.hasOwn(labels, 'pod-template-hash') ? labels['pod-template-hash'] : undefined;
  if (hash === undefined || hash === '' || !replicaSet.endsWith(`-${hash}`)) return undefined;
  return replicaSet.slice(0, -hash.length - 1) || undefined;
}

/** `ownerReferences`: the controller, or the first owner where none is marked. */
function readWorkload(metadata: Field, name: string, labels: Labels): string {
  const owners = metadata
    .child('ownerReferences')
    .items()
    .filter((owner) => owner.object());
  const owner = owners.find((one) => one.child('controller').value === true) ?? owners[0];
  const kind = owner?.child('kind').filledText();
  const ownerName = owner?.child('name').filledText();
  if (kind === undefined || ownerName === undefined) return `pod/${name}`;
  const deployment = kind === 'ReplicaSet' ? deploymentName(ownerName, labels) : undefined;
  if (deployment !== undefined) return `deploy/${deployment}`;
  return `${Object.hasOwn(SHORT_KINDS, kind) ? SHORT_KINDS[kind] : kind.toLowerCase()}/${ownerName}`;
}

function readPod(object: Field): Pod {
  checkType(object, 'v1', 'Pod');
  const { namespace, name, uid, labels, createdAt, terminating } = readNamespacedMetadata(object);
  const spec = object.child('spec');
  const status = object.child('status');
  spec.object();
  status.object();
  // A pod that is ending and has no network any more has no addresses either, although its status still names them.
  const isOver = terminating === true && networkCondition(status)?.state === 'False';
  const ips = readAddresses(status, 'podIP', 'podIPs').filter(() => !isOver);
  const nodeName = spec.child('nodeName').filledText();
  const addressedAt = readAddressedAt(status);
  const phaseField = status.child('phase');
  const phase = phaseField.value === '' ? undefined : phaseField.word(PHASES);
  return {
    namespace,
    name,
    uid: uid ?? objectKey(namespace, name),
    labels,
    ips,
    hostIPs: readAddresses(status, 'hostIP', 'hostIPs'),
    ...(nodeName === undefined ? {} : { nodeName }),
    hostNetwork: spec.child('hostNetwork').flag(),
    // phase: a file that gives an address and no phase means a pod that runs.
    phase: phase ?? (ips.length > 0 ? 'Running' : 'Pending'),
    ports: readPorts(spec),
    workload: readWorkload(object.child('metadata'), name, labels),
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(addressedAt === undefined ? {} : { addressedAt }),
    ...(terminating === undefined ? {} : { terminating }),
  };
}

/** Reads a Pod. Only what a verdict needs is read and checked. */
export function parsePod(value: unknown): Parsed<Pod> {
  return parseObject(value, readPod);
}
