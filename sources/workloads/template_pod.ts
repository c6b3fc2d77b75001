/** The pod that a workload makes of its template, with the labels that its controller adds. */

import { SluiceError, unreachable } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { fieldsOf } from '../../common/shape.ts';
import { type Labels, objectKey, type Pod, parsePod } from '../../policy/index.ts';
import type { RawObject } from '../files/index.ts';
import { podTemplate, type WorkloadKindName } from '../objects/index.ts';

type Json = Readonly<Record<string, unknown>>;

/** Stands for what differs from pod to pod, or from revision to revision, such as a hash: no selector can name it beforehand. */
const UNKNOWN = 'template';

/** The labels that controllers add to the pods they make. */
const CONTROLLER_LABELS = [
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-completion-index',
  'batch.kubernetes.io/job-name',
  'controller-revision-hash',
  'controller-uid',
  'job-name',
  'pod-template-generation',
  'pod-template-hash',
  'statefulset.kubernetes.io/pod-name',
] as const;

type ControllerLabels = Partial<Record<(typeof CONTROLLER_LABELS)[number], string>>;

/** Labels that differ from one pod of a workload to the next. */
const LABELS_OF_ONE: readonly string[] = [
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/job-completion-index',
  'statefulset.kubernetes.io/pod-name',
];

/** Whether a controller gives pods this label, of one revision or of single pods: no selector should name it. */
export function isControllerLabel(key: string): boolean {
  return (
    CONTROLLER_LABELS.some((label) => label === key) ||
    key.startsWith('statefulset.kubernetes.io/') ||
    key.startsWith('batch.kubernetes.io/')
  );
}

/** The labels of a pod from a template that other pods of its workload do not have, or that are not known beforehand. */
export function assumedLabels({ labels }: Pod): readonly string[] {
  return CONTROLLER_LABELS.filter(
    (label) =>
      Object.hasOwn(labels, label) &&
      (LABELS_OF_ONE.includes(label) || labels[label] === UNKNOWN || labels[label]?.endsWith(`-${UNKNOWN}`)),
  );
}

/** A workload as it is called: `shop`, `web`, and `deploy/web`. */
export interface WorkloadName {
  readonly namespace: string;
  readonly name: string;
  readonly text: string;
}

/** Labels as they are written: nobody has checked them. */
export type RawLabels = Readonly<Record<string, unknown>>;

/** The labels of a pod that a workload makes, also where its template is broken elsewhere. */
export function templateLabels(workload: RawObject, kind: WorkloadKindName, owner: WorkloadName): RawLabels {
  const { metadata } = templatePodManifest(workload, kind, owner, 0);
  return fieldsOf(fieldsOf(metadata).labels);
}

/** The manifest of a pod that a workload makes, without an address. See `makeTemplatePod`. */
export function templatePodManifest(
  workload: RawObject,
  kind: WorkloadKindName,
  { namespace, name }: WorkloadName,
  replica: number,
): Json {
  const spec = fieldsOf(workload.raw.spec);
  const source = podTemplate(workload.raw) ?? {};
  const ordinal = Number(fieldsOf(spec.ordinals).start ?? 0) + replica;
  const podName =
    kind === 'StatefulSet'
      ? `${name}-${ordinal}`
      : `${name}-template${replica === 0 ? '' : `-${replica + 1}`}`;
  const metadata = fieldsOf(source.metadata);
  const added: Labels = controllerLabels(kind, name, spec, podName, ordinal);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      namespace,
      name: podName,
      labels: withLabels(metadata.labels, added),
      ownerReferences: [{ apiVersion: workload.apiVersion, kind, name, controller: true }],
    },
    spec: source.spec,
  };
}

/**
 * Makes the pod. It has no address.
 * @param replica which of its pods, from 0: a StatefulSet's and an indexed Job's differ
 * @throws SluiceError `OBJECT_INVALID` when the template is broken
 */
export function makeTemplatePod(
  workload: RawObject,
  kind: WorkloadKindName,
  owner: WorkloadName,
  replica: number,
): Pod {
  const { namespace, name, text } = owner;
  const parsed = parsePod(templatePodManifest(workload, kind, owner, replica));
  if (parsed.ok) return { ...parsed.object, workload: text };
  const [first] = parsed.errors;
  throw new SluiceError(
    'OBJECT_INVALID',
    printable(
      `${workload.file}, document ${workload.document}, ${workload.kind} ${objectKey(namespace, name)}, ` +
        `spec.template.${first?.path ?? ''}: ${first?.message ?? 'is not a pod template'}`,
    ),
  );
}

/** Labels that are no map are left as they are: the reader of pods says what is wrong. */
function withLabels(labels: unknown, added: Labels): unknown {
  return typeof labels === 'object' || labels === undefined ? { ...labels, ...added } : labels;
}

/** Source: the controllers' documentation, "Labels, Annotations and Taints" of Kubernetes. */
function controllerLabels(
  kind: WorkloadKindName,
  name: string,
  spec: Json,
  podName: string,
  ordinal: number,
): ControllerLabels {
  switch (kind) {
    case 'Deployment':
      return { 'pod-template-hash': UNKNOWN };
    case 'StatefulSet':
      return {
        'apps.kubernetes.io/pod-index': String(ordinal),
        'controller-revision-hash': UNKNOWN,
        'statefulset.kubernetes.io/pod-name': podName,
      };
    case 'DaemonSet':
      return { 'controller-revision-hash': UNKNOWN, 'pod-template-generation': '1' };
    case 'Job':
      return jobLabels(name, spec, ordinal);
    case 'CronJob':
      // Each run is a Job of its own, named after the CronJob and the minute.
      return jobLabels(`${name}-${UNKNOWN}`, fieldsOf(fieldsOf(spec.jobTemplate).spec), ordinal);
    case 'ReplicaSet':
    case 'ReplicationController':
      return {};
    default:
      return unreachable(kind);
  }
}

function jobLabels(name: string, spec: Json, index: number): ControllerLabels {
  const indexed = spec.completionMode === 'Indexed';
  return {
    'batch.kubernetes.io/controller-uid': UNKNOWN,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': UNKNOWN,
    'job-name': name,
    ...(indexed ? { 'batch.kubernetes.io/job-completion-index': String(index) } : {}),
  };
}
