/** The workloads of pods, as kubectl names them, and how they are restarted. */
import type { V1Pod } from '@kubernetes/client-node';
import { shellWord } from './finding.ts';

/** A workload, or a pod that has none. */
export interface CheckedWorkload {
  /** In lower case, such as `deployment`. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Kinds whose pods `kubectl rollout restart` makes again. Source: kubectl's help. */
const RESTARTABLE: readonly string[] = ['deployment', 'statefulset', 'daemonset'];

/** `deployment shop/web`. */
export function workloadSubject({ kind, namespace, name }: CheckedWorkload): string {
  return `${kind} ${namespace}/${name}`;
}

/**
 * What a pod belongs to: its controller, or that one's own, as names show it: a Deployment's ReplicaSet ends with the hash of
 * its template, a CronJob's Job with the minute of its run.
 */
export function workloadOf({ metadata }: V1Pod): CheckedWorkload {
  const namespace = metadata?.namespace ?? '';
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return { kind: 'pod', namespace, name: metadata?.name ?? '' };
  const hash = metadata?.labels?.['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(`-${hash}`))
    return { kind: 'deployment', namespace, name: owner.name.slice(0, -hash.length - 1) };
  const [, cronJob] = owner.kind === 'Job' ? (/^(.+)-\d{8,}$/.exec(owner.name) ?? []) : [];
  if (cronJob !== undefined) return { kind: 'cronjob', namespace, name: cronJob };
  return { kind: owner.kind.toLowerCase(), namespace, name: owner.name };
}

/** The commands that make the pods of a workload again; none where its next run does, or nothing can. */
export function restartCommands({ kind, namespace, name }: CheckedWorkload): readonly string[] {
  const [place, which] = [`-n ${shellWord(namespace)}`, shellWord(name)];
  if (RESTARTABLE.includes(kind)) return [`kubectl rollout restart ${kind}/${which} ${place}`];
  if (kind === 'pod') return [`kubectl get pod ${which} ${place} -o yaml | kubectl replace --force -f -`];
  return [];
}
