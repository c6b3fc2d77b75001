/**
 * The nodes where pods with the path `auto` came to the proxy, and why. A sidecar logs it when it starts, and nothing else that one may
 * read has the reason. One pod stands for its node, the one whose sidecar started last: its log has most likely not been rotated.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { PATH_MESSAGE, type PathReason, SIDECAR_CONTAINER } from '../../common/contract.ts';
import { firstFew } from '../../common/first_few.ts';
import { parsePath } from '../../common/path.ts';
import { fieldsOf } from '../../common/shape.ts';
import { shown } from '../../common/shown.ts';
import { PATH_ANNOTATION } from '../../injector/admission/index.ts';
import { FORBIDDEN, hasCode } from '../../injector/api/index.ts';
import { type Finding, shellWord, warning } from './finding.ts';
import type { Reading } from './reading.ts';

/** A running pod with the path `auto`, for all of its ports or some. */
export interface AutoPod {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  /** When its sidecar started, as the API writes times. */
  readonly started: string;
}

/** What a node's sidecars have instead of the direct path. */
export interface FallenBack extends AutoPod {
  /** What the kernel lacks. */
  readonly problem: string;
}

const FELL_BACK: PathReason = 'fell-back';

/** Nodes that are asked about: each is a request that its kubelet answers. */
const NODES_ASKED = 200;
const ASKED_AT_ONCE = 8;

/** Nodes that a finding names; more are only counted. */
const NODES_NAMED = 10;

/** A sidecar says its path in its first ten lines or so, bytes. */
const LOG_BYTES = 64 * 1024;

/** Such a pod; undefined for others, and for those that are not ready: their node may be away, and does not answer. */
export function autoPodOf({ metadata, spec, status }: V1Pod): AutoPod | undefined {
  const node = spec?.nodeName ?? '';
  const isOurs = ({ name }: { readonly name: string }): boolean => name === SIDECAR_CONTAINER;
  const container = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(isOurs);
  const path = parsePath(container?.env?.find(({ name }) => name === 'SLUICE_PATH')?.value ?? '');
  const isAuto = typeof path !== 'string' && [path.usual, ...path.ports.values()].includes('auto');
  const isReady = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
  if (node === '' || !isAuto || isReady !== true) return undefined;
  const sidecar = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find(
    isOurs,
  );
  const started = String(sidecar?.state?.running?.startedAt ?? '');
  return { node, namespace: metadata?.namespace ?? '', pod: metadata?.name ?? '', started };
}

/** Asks a sidecar of each node. What is not known of them is in `unknown`, a sentence each, or among what may not be read. */
export async function readFallenBack(
  pods: readonly AutoPod[],
  reading: Reading,
  signal: AbortSignal,
): Promise<{ readonly fallenBack: readonly FallenBack[]; readonly unknown: readonly string[] }> {
  const all = lastOfEachNode(pods);
  const fallenBack: FallenBack[] = [];
  const notAsked = all.slice(NODES_ASKED).map(({ node }) => node);
  const unknown: string[] = [];
  await reading.optional(`which path ${PATH_ANNOTATION}=auto comes to on nodes`, 'get pods/log', async () => {
    for (let at = 0; at < Math.min(all.length, NODES_ASKED); at += ASKED_AT_ONCE) {
      signal.throwIfAborted();
      const some = all.slice(at, Math.min(at + ASKED_AT_ONCE, NODES_ASKED));
      const said = await Promise.all(some.map((pod) => pathSaid(pod, reading)));
      some.forEach((pod, index) => {
        const { reason, problem } = said[index] ?? {};
        if (reason === undefined) unknown.push(pod.node);
        else if (reason === FELL_BACK)
          fallenBack.push({
            ...pod,
            problem: typeof problem === 'string' ? problem : 'its sidecar does not say why',
          });
      });
    }
  });
  const missing = (nodes: readonly string[], why: string): readonly string[] =>
    nodes.length === 0
      ? []
      : [`which path ${PATH_ANNOTATION}=auto comes to on ${firstFew(nodes, NODES_NAMED)}: ${why}`];
  return {
    fallenBack,
    unknown: [
      ...missing(unknown, 'no log of a sidecar there has it any more'),
      ...missing(notAsked, `${NODES_ASKED} nodes are asked at most`),
    ],
  };
}

function lastOfEachNode(pods: readonly AutoPod[]): readonly AutoPod[] {
  const last = new Map<string, AutoPod>();
  for (const pod of pods) if (pod.started >= (last.get(pod.node)?.started ?? '')) last.set(pod.node, pod);
  return [...last.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
}

/** What a sidecar says of its path; nothing where its log does not have it. A pod may have gone by now, or its node. */
async function pathSaid({ namespace, pod }: AutoPod, { lister }: Reading) {
  let log = '';
  try {
    log = await lister.log({ namespace, pod, container: SIDECAR_CONTAINER }, LOG_BYTES);
  } catch (error) {
    if (hasCode(error, FORBIDDEN)) throw error;
  }
  for (const line of log.split('\n').filter((one) => one.includes(JSON.stringify(PATH_MESSAGE))))
    try {
      const { msg, reason, problem } = fieldsOf(JSON.parse(line));
      if (msg === PATH_MESSAGE) return { reason, problem };
    } catch {
      // The log ends in the middle of it.
    }
  return {};
}

/** One finding for all nodes that lack the same. */
export function checkPaths(fallenBack: readonly FallenBack[]): readonly Finding[] {
  return [...Map.groupBy(fallenBack, ({ problem }) => problem)].flatMap(([problem, having]) => {
    const [first] = having;
    if (first === undefined) return [];
    const names = having.map(({ node }) => node);
    return warning(
      'CK107',
      `${names.length === 1 ? 'node' : 'nodes'} ${firstFew(names, NODES_NAMED)}`,
      `pods with ${PATH_ANNOTATION}=auto take the proxy there, and those with direct do not start: ${shown(problem)}`,
      `kubectl logs ${shellWord(first.pod)} -n ${shellWord(first.namespace)} -c ${SIDECAR_CONTAINER}`,
    );
  });
}
