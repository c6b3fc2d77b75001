/** What commands answer about single flows: the forms that they print, looked through flow by flow. */

import { expect } from 'vitest';
import type { DirectionData, GroupData } from '../../../cli/describe/description.ts';
import { blockMatches, type ContainerPort, parseAddress } from '../../../policy/index.ts';
import { admittedBy } from '../../unit/cli/describe/admitted_by.ts';
import { sluice } from '../sluice_command.ts';
import type { FlowEnd, Probe } from './random_probes.ts';

/** How a flow differs between two states. */
export type FlowChange = 'gained' | 'lost' | 'same';

/** A line of `sluice can --batch`. */
export interface CanQuestion {
  readonly from: string;
  readonly to: string;
  readonly port: number;
}

/** Ports, in the forms of `graph` and `diff`. */
interface Range {
  readonly protocol: string;
  readonly first: number;
  readonly last: number;
}

/** Pods or networks, in the forms of `graph` and `diff`. */
interface End {
  readonly namespace?: string;
  readonly pods?: readonly string[];
  readonly blocks?: readonly { readonly cidr: string; readonly except: readonly string[] }[];
}

interface Graph {
  readonly nodes: readonly ({ readonly id: string } & End)[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly ports: readonly Range[] }[];
}

interface Diff {
  readonly changes: readonly {
    readonly from: End;
    readonly to: End;
    readonly gained: readonly Range[];
    readonly lost: readonly Range[];
  }[];
}

/** Runs a command that has to answer. @returns what it prints */
async function answerOf(argv: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await sluice(argv, input);
  if (code !== 0) throw new Error(`sluice ${argv.join(' ')}: ${code} ${stderr} ${stdout}`);
  return stdout;
}

/** `sluice can --batch`: a verdict for each question. @param input the flags that say where to look, the same for all here */
export async function askCan(
  questions: readonly CanQuestion[],
  input: readonly string[],
): Promise<readonly string[]> {
  const lines = questions.map((question) => JSON.stringify(question)).join('\n');
  const answers = (await answerOf(['can', '--batch', '-', ...input], lines)).trimEnd().split('\n');
  expect(answers.length).toBe(questions.length);
  return answers.map((line) => {
    const { verdict }: { readonly verdict: string } = JSON.parse(line);
    return verdict;
  });
}

/**
 * `sluice describe` of each pod: whether the descriptions of both ends admit a flow.
 * @param pods by `namespace/name`, with the ports that they declare
 */
export async function askDescribe(
  pods: ReadonlyMap<string, readonly ContainerPort[]>,
  input: readonly string[],
): Promise<(probe: Probe) => boolean> {
  const groups = new Map<string, GroupData>();
  for (const key of pods.keys()) {
    const { groups: found }: { readonly groups: { readonly first: readonly GroupData[] } } = JSON.parse(
      await answerOf(['describe', key, '-o', 'json', ...input]),
    );
    const [group] = found.first;
    if (group === undefined) throw new Error(`${key} is not described`);
    groups.set(key, group);
  }
  const admits = (subject: FlowEnd, admitted: DirectionData | undefined, peer: FlowEnd, port: number) => {
    if (admitted === undefined) return true;
    const other = {
      address: peer.address,
      ...(peer.pod !== undefined && {
        workload: workloadOf(peer.pod, subject),
        ports: pods.get(peer.pod) ?? [],
      }),
    };
    return admittedBy(admitted, other, { protocol: 'TCP', port }) !== undefined;
  };
  return ({ from, to, port }) =>
    admits(from, groups.get(from.target)?.egress, to, port) &&
    admits(to, groups.get(to.target)?.ingress, from, port);
}

/** As a description of a pod names pods of its own and of other namespaces. */
function workloadOf(peer: string, { target }: FlowEnd): string {
  const [namespace = '', name = ''] = peer.split('/');
  return target.startsWith(`${namespace}/`) ? `pod/${name}` : `${namespace}/pod/${name}`;
}

/** `sluice graph`: whether an edge leads from one end of a flow to the other at its port. */
export async function askGraph(input: readonly string[]): Promise<(probe: Probe) => boolean> {
  const { nodes, edges }: Graph = JSON.parse(await answerOf(['graph', '--all', '-o', 'json', ...input]));
  const ends = new Map(nodes.map((node) => [node.id, node]));
  return ({ from, to, port }) =>
    edges.some(
      (edge) => isEnd(ends.get(edge.from), from) && isEnd(ends.get(edge.to), to) && hasPort(edge.ports, port),
    );
}

/** `sluice diff` of two paths: what becomes of a flow. */
export async function askDiff(
  before: string,
  after: string,
  input: readonly string[],
): Promise<(probe: Probe) => FlowChange> {
  const argv = ['diff', before, after, ...input, '--fail-on', 'none', '-o', 'json'];
  const { changes }: Diff = JSON.parse(await answerOf(argv));
  return ({ from, to, port }) => {
    const change = changes.find((one) => isEnd(one.from, from) && isEnd(one.to, to));
    if (change === undefined) return 'same';
    if (hasPort(change.gained, port)) return 'gained';
    return hasPort(change.lost, port) ? 'lost' : 'same';
  };
}

function isEnd(end: End | undefined, { pod, address }: FlowEnd): boolean {
  const { namespace, pods = [], blocks = [] } = end ?? {};
  if (pod !== undefined) return pods.some((name) => `${namespace}/${name}` === pod);
  return blocks.some((block) => blockMatches(block, parseAddress(address)));
}

function hasPort(ranges: readonly Range[], port: number): boolean {
  return ranges.some(({ protocol, first, last }) => protocol === 'TCP' && first <= port && port <= last);
}
