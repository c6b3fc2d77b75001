/** Asks many sidecars for a page, a few at a time. */

import { firstLineOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { firstFew } from '../../../common/first_few.ts';
import type { Shape } from '../../../common/shape.ts';
import { objectKey } from '../../../policy/index.ts';
import type { Progress } from '../../terminal/index.ts';
import type { SidecarPod, SidecarPods } from './sidecar_pods.ts';

/** Pods of one command: each costs a connection through the API server, or a process. */
const MAX_PODS = 500;

/** At once. */
const AT_ONCE = 8;

/** Pods that are named as silent. */
const NAMED = 3;

/** A page of one pod. */
export interface PodPage<T> {
  readonly pod: SidecarPod;
  readonly page: T;
}

/** The pages, and which pods gave none. */
export interface PodPages<T> {
  readonly pages: readonly PodPage<T>[];
  readonly asked: number;
  readonly silent: readonly { readonly pod: SidecarPod; readonly why: string }[];
}

/** What asking goes on with. */
export interface AskContext {
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * @param pods some of `sidecars.pods`
 * @throws SluiceError `FLOWS_UNREADABLE` where none answers, `INPUT_TOO_LARGE` where there are too many
 */
export async function askPods<T>(
  sidecars: SidecarPods,
  pods: readonly SidecarPod[],
  path: string,
  shape: Shape<T>,
  { progress, signal }: AskContext,
): Promise<PodPages<T>> {
  if (pods.length > MAX_PODS)
    throw new SluiceError(
      'INPUT_TOO_LARGE',
      `${sidecars.where} has ${pods.length} pods with a sidecar: --direct asks ${MAX_PODS} at most; name a namespace with -n`,
    );
  const pages: PodPage<T>[] = [];
  const silent: { pod: SidecarPod; why: string }[] = [];
  const queue = [...pods];
  const work = async (): Promise<void> => {
    for (let pod = queue.shift(); pod !== undefined; pod = queue.shift()) {
      try {
        const text = await sidecars.page(pod, path, signal);
        pages.push({ pod, page: shape.readJson(text, path, (problem) => new Error(problem)) });
      } catch (error) {
        signal.throwIfAborted();
        silent.push({ pod, why: firstLineOf(error) });
      }
      progress.say(`asked ${pages.length + silent.length} of ${pods.length} sidecars`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, pods.length) }, work));
  const found = { pages: inOrder(pages), silent: inOrder(silent), asked: pods.length };
  if (pages.length === 0 && silent.length > 0)
    throw new SluiceError(
      'FLOWS_UNREADABLE',
      `no sidecar of ${sidecars.where} answers: ${silentText(found)}`,
    );
  return found;
}

/** `2 of 5 sidecars did not answer: shop/web-1 (no answer), shop/web-2 (the pod is gone)`; undefined where all did. */
export function silentText({
  silent,
  asked,
}: Pick<PodPages<unknown>, 'silent' | 'asked'>): string | undefined {
  if (silent.length === 0) return undefined;
  const names = silent.map(({ pod, why }) => `${objectKey(pod.namespace, pod.name)} (${why})`);
  return `${silent.length} of ${asked} sidecars did not answer: ${firstFew(names, NAMED)}`;
}

/** Answers come in any order. */
function inOrder<T extends { readonly pod: SidecarPod }>(list: readonly T[]): readonly T[] {
  const key = ({ pod }: T): string => objectKey(pod.namespace, pod.name);
  return [...list].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
