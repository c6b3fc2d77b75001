/** Kinds that make pods of a template, and where that template stands. */

import { fieldsOf, isRecord } from '../../common/shape.ts';

/** An object as a file has it. */
type Json = Readonly<Record<string, unknown>>;

/** kubectl's short names of these kinds, by kind. */
export const WORKLOAD_KINDS = {
  Deployment: 'deploy',
  StatefulSet: 'sts',
  DaemonSet: 'ds',
  ReplicaSet: 'rs',
  ReplicationController: 'rc',
  Job: 'job',
  CronJob: 'cj',
} as const;

/** A kind that makes pods. */
export type WorkloadKindName = keyof typeof WORKLOAD_KINDS;

/** Whether a kind makes pods of a template. */
export function isWorkloadKind(kind: string): kind is WorkloadKindName {
  return Object.hasOwn(WORKLOAD_KINDS, kind);
}

/** `spec.template`, or a CronJob's `spec.jobTemplate.spec.template`; undefined where it is no object. */
export function podTemplate(workload: Json): Json | undefined {
  const spec = fieldsOf(workload.spec);
  const template = fieldsOf(fieldsOf(spec.jobTemplate).spec).template ?? spec.template;
  return isRecord(template) ? template : undefined;
}

/** The short name of a kind whose objects make pods from a template. */
export type WorkloadKind = (typeof WORKLOAD_KINDS)[WorkloadKindName];
