/** Which edges fit a question. */
import { BlockList, isIP } from 'node:net';
import { familyOf } from '../common/net.ts';
import type { ObservedEnd, ObservedFlow } from './answer.ts';
import type { FlowQuestion } from './question.ts';

/** Whether an edge fits. */
export type FlowTest = (edge: ObservedFlow) => boolean;

/** An end, as somebody asks for it. */
type AskedEnd = NonNullable<FlowQuestion['from']>[number];

/** Fields of a question that can be negated. */
type Negatable = NonNullable<FlowQuestion['not']>[number];

/**
 * Whether an edge has all that a question names. An edge is of the span when some of its flows may be: it began before the end, and
 * its last flow came after the beginning. An edge with a time that is no time fits no question.
 */
export function flowTest(question: FlowQuestion): FlowTest {
  const { since, until, namespaces, external } = question;
  const not = new Set(question.not);
  const fields: readonly (FlowTest | undefined)[] = [
    ({ first, last }) => Date.parse(first) <= until && Date.parse(last) >= since,
    namespaces &&
      (({ src, dst }) =>
        [src, dst].some((end) => end.namespace !== undefined && namespaces.includes(end.namespace))),
    external === undefined
      ? undefined
      : ({ src, dst }) => (src.kind === 'external' || dst.kind === 'external') === external,
    ...negatable(question).map(([name, test]): FlowTest | undefined =>
      test !== undefined && not.has(name) ? (edge) => !test(edge) : test,
    ),
  ];
  const tests = fields.filter((test) => test !== undefined);
  return (edge) => tests.every((test) => test(edge));
}

function negatable(question: FlowQuestion): readonly (readonly [Negatable, FlowTest | undefined])[] {
  const { from, to, ports, protocols, outcomes, policies } = question;
  const ends = { from: from?.map(endTest), to: to?.map(endTest) };
  return [
    ['from', ends.from && (({ src }) => ends.from?.some((test) => test(src)) ?? true)],
    ['to', ends.to && (({ dst }) => ends.to?.some((test) => test(dst)) ?? true)],
    ['ports', ports && (({ port }) => ports.includes(port))],
    ['protocols', protocols && (({ protocol }) => protocols.includes(protocol))],
    ['outcomes', outcomes && (({ outcome }) => outcomes.includes(outcome))],
    [
      'policies',
      policies &&
        (({ policy, near = [] }) =>
          (policy !== undefined && policies.includes(policy)) ||
          near.some((rule) => policies.includes(rule.policy))),
    ],
  ];
}

/** `pod/x` is also the pod of an edge that only one pod had; `node/x` is the node of that name. */
function endTest({ namespace, workload, address }: AskedEnd): (end: ObservedEnd) => boolean {
  const within = address === undefined ? undefined : addressTest(address);
  return (end) =>
    (namespace === undefined || end.namespace === namespace) &&
    (workload === undefined || names(end).includes(workload)) &&
    (within === undefined || (end.address !== undefined && within(end.address)));
}

function names({ kind, workload, pod }: ObservedEnd): readonly string[] {
  return [
    ...(workload === undefined ? [] : [workload]),
    ...(kind === 'node' && workload !== undefined ? [`node/${workload}`] : []),
    ...(pod === undefined ? [] : [`pod/${pod}`]),
  ];
}

/** Whether an address, or a whole network of an edge, is within what was asked for. */
function addressTest(asked: string): (address: string) => boolean {
  const block = networkOf(asked);
  if (block === undefined) return (address) => address === asked;
  const list = new BlockList();
  list.addSubnet(block.address, block.bits, block.family);
  return (address) => {
    const edge = networkOf(address);
    return edge !== undefined && edge.bits >= block.bits && list.check(edge.address, edge.family);
  };
}

function networkOf(text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', prefix, more] = text.split('/');
  if (isIP(address) === 0 || more !== undefined) return undefined;
  const longest = familyOf(address) === 4 ? 32 : 128;
  const bits = prefix === undefined ? longest : Number(/^\d{1,3}$/.test(prefix) ? prefix : Number.NaN);
  if (Number.isNaN(bits) || bits > longest) return undefined;
  return { address, bits, family: longest === 32 ? 'ipv4' : 'ipv6' };
}
