/**
 * What somebody gets to see of an edge. Of an end in a namespace that he may not see: its kind, namespace, workload and address, never its
 * pod. What a policy of such a namespace decided has no policy, rule or explanation: it would show that policy. Pure.
 */
import type { FlowQuestion, ObservedEnd, ObservedFlow } from '../../flows/index.ts';
import type { Visible } from './visible.ts';

/** The question as the collector gets it: about nothing but what may be seen. */
export function cutQuestion(question: FlowQuestion, visible: Visible): FlowQuestion {
  return visible === undefined ? question : { ...question, namespaces: [...visible] };
}

/** The edge as the user sees it; undefined: not at all. */
export function cutFlow(
  flow: ObservedFlow,
  question: FlowQuestion,
  visible: Visible,
): ObservedFlow | undefined {
  if (visible === undefined) return flow;
  const { src, dst } = flow;
  const [seesSrc, seesDst] = [isSeen(src, visible), isSeen(dst, visible)];
  // The question has been cut, so that all edges of a row have an end that is seen; a row may not say any more which.
  const ofSeveral = question.groupBy !== undefined && [src, dst].some(isPutTogether);
  if (!seesSrc && !seesDst && !ofSeveral) return undefined;
  const cut = { ...flow, src: seesSrc ? src : withoutPod(src), dst: seesDst ? dst : withoutPod(dst) };
  const seesDecision = flow.direction === 'ingress' ? seesDst : seesSrc;
  if (seesDecision) return cut;
  // Which edges a policy's name selects would say what was cut.
  if (question.policies !== undefined) return undefined;
  const {
    policy: _policy,
    rule: _rule,
    isolating: _isolating,
    near: _near,
    explanation: _said,
    ...rest
  } = cut;
  return rest;
}

function isSeen({ namespace }: ObservedEnd, visible: ReadonlySet<string>): boolean {
  return namespace !== undefined && visible.has(namespace);
}

/** An end that stands for several, without the namespace that they do not share. */
function isPutTogether({ kind, namespace }: ObservedEnd): boolean {
  return namespace === undefined && (kind === 'workload' || kind === 'unknown');
}

/** Of an end that is no pod, such as a node or an address outside, nothing is hidden. */
function withoutPod(end: ObservedEnd): ObservedEnd {
  const { pod: _pod, ...rest } = end;
  return rest;
}
