/** What nodes lack that sidecars need, as far as the cluster knows it. */
import type { V1Node } from '@kubernetes/client-node';
import { firstLineOf } from '../../common/errno.ts';
import { firstFew } from '../../common/first_few.ts';
import { shown } from '../../common/shown.ts';
import { error, type Finding, shellWord, warning } from './finding.ts';

/** nftables `ip option`, which the guard uses. Source: Linux 5.3, nft_exthdr. */
const LEAST_KERNEL = { major: 5, minor: 3 };

/** What images are made for; see Dockerfile. */
const ARCHITECTURES: readonly string[] = ['amd64', 'arm64'];

/** Nodes that one finding names; more are only counted. */
const NODES_NAMED = 3;

/** A sidecar that the kernel of its node has refused. */
export interface KernelRefusal {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  /** What the container said last. */
  readonly message: string;
}

/** Codes of sidecars that end for want of something in the kernel. */
export const KERNEL_CODES =
  /\b(REDIRECT_KERNEL_UNSUPPORTED|GATE_UNAVAILABLE|GATE_REFUSED|PATH_UNSUPPORTED)\b/;

/** One finding for all nodes of which the same is to be said. */
export function checkNodes(nodes: readonly V1Node[], refusals: readonly KernelRefusal[]): readonly Finding[] {
  const lacking = Map.groupBy(nodes, problemOf);
  const refusing = Map.groupBy(refusals, ({ node }) => node);
  return [
    ...[...lacking].flatMap(([problem, having]) =>
      problem === undefined ? [] : [error('CK102', nodesText(having.map(nameOf)), problem)],
    ),
    ...[...refusing].flatMap(([node, [first]]) => (first === undefined ? [] : [refusalFinding(node, first)])),
  ];
}

const nameOf = ({ metadata }: V1Node): string => metadata?.name ?? '';

function nodesText(names: readonly string[]): string {
  return `${names.length === 1 ? 'node' : 'nodes'} ${firstFew(names, NODES_NAMED)}`;
}

function problemOf({ status }: V1Node): string | undefined {
  const { operatingSystem = '', architecture = '', kernelVersion = '' } = status?.nodeInfo ?? {};
  if (operatingSystem !== '' && operatingSystem !== 'linux')
    return `run ${operatingSystem}: the sidecar needs Linux`;
  if (architecture !== '' && !ARCHITECTURES.includes(architecture))
    return `are ${architecture}: the image is made for ${ARCHITECTURES.join(' and ')}`;
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernelVersion) ?? [];
  if (major === undefined) return undefined;
  const isOld =
    Number(major) < LEAST_KERNEL.major ||
    (Number(major) === LEAST_KERNEL.major && Number(minor) < LEAST_KERNEL.minor);
  return isOld
    ? `run Linux ${kernelVersion}: the gate needs ${LEAST_KERNEL.major}.${LEAST_KERNEL.minor} or later`
    : undefined;
}

/** `PATH_UNSUPPORTED` is about the pods that ask for the direct path, and not about all. */
function refusalFinding(node: string, { namespace, pod, message }: KernelRefusal): Finding {
  const isOfPath = message.includes('PATH_UNSUPPORTED');
  return (isOfPath ? warning : error)(
    'CK103',
    `node ${node}`,
    `its kernel refused the sidecar of ${namespace}/${pod}: ${shown(firstLineOf(message))}`,
    `kubectl logs ${shellWord(pod)} -n ${shellWord(namespace)} --all-containers --prefix --previous`,
  );
}
