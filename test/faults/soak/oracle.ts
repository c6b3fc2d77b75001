/** Which verdicts on a flow are right in a span of time, by the slow and obvious evaluator of the policy tests. */

import type { ApiCluster } from '../../builders/api_objects.ts';
import type { Manifest } from '../../builders/manifests.ts';
import { type ObviousFlow, obviousVerdict } from '../../unit/policy/obvious.ts';
import type { Span, Timeline } from './timeline.ts';

/** More combinations of pending changes than this are not looked at: a verdict taken meanwhile cannot be wrong. */
const COMBINATIONS_MAX = 64;

/** The verdicts that are right: both, while a change that matters is being put in force. */
export interface RightVerdicts {
  readonly allow: boolean;
  readonly deny: boolean;
}

/**
 * The verdicts that are right at some moment of the span. The two ends of a flow need not have the same changes yet: a
 * flow may be allowed when each end may allow it, and denied when one may deny it.
 */
export function rightVerdicts(timeline: Timeline, flow: ObviousFlow, span: Span): RightVerdicts {
  const objects = withoutStrangers(timeline.possible(span), flow);
  if (combinationsOf(objects) > COMBINATIONS_MAX) return { allow: true, deny: true };
  const seen = { egress: new Set<boolean>(), ingress: new Set<boolean>() };
  for (const one of clusters(objects)) {
    const { egress, ingress } = obviousVerdict(one, flow);
    seen.egress.add(egress);
    seen.ingress.add(ingress);
  }
  return {
    allow: seen.egress.has(true) && seen.ingress.has(true),
    deny: seen.egress.has(false) || seen.ingress.has(false),
  };
}

type Values = readonly (Manifest | undefined)[];

/**
 * Leaves out what cannot matter to a flow, as each change of it would double the work: pods that have none of its
 * addresses, namespaces of none of its pods, and the policies in them.
 */
function withoutStrangers(
  objects: readonly Values[],
  { source, destination }: ObviousFlow,
): readonly Values[] {
  const isEnd = (manifest: Manifest) =>
    (manifest as { status?: { podIPs?: readonly { ip: string }[] } }).status?.podIPs?.some(
      ({ ip }) => ip === source || ip === destination,
    ) === true;
  const isSome = (values: Values, test: (manifest: Manifest) => boolean) =>
    values.some((manifest) => manifest !== undefined && test(manifest));
  const namespaces = new Set<unknown>();
  for (const values of objects)
    for (const pod of values) if (pod && isEnd(pod)) namespaces.add(metaOf(pod).namespace);
  return objects.filter((values) =>
    isSome(values, (manifest) => {
      switch (manifest.kind) {
        case 'Pod':
          return isEnd(manifest);
        case 'NetworkPolicy':
          return namespaces.has(metaOf(manifest).namespace);
        case 'Namespace':
          return namespaces.has(metaOf(manifest).name);
        default:
          return true;
      }
    }),
  );
}

function metaOf(manifest: Manifest): { readonly namespace?: string; readonly name: string } {
  return manifest.metadata as { namespace?: string; name: string };
}

function combinationsOf(objects: readonly Values[]): number {
  return objects.reduce((product, values) => product * Math.max(1, values.length), 1);
}

/** Every cluster that takes one of each object's values. */
function* clusters(objects: readonly Values[]): Generator<ApiCluster> {
  const combinations = combinationsOf(objects);
  for (let number = 0; number < combinations; number += 1) {
    let rest = number;
    const picked = objects.flatMap((values) => {
      if (values.length === 0) return [];
      const manifest = values[rest % values.length];
      rest = Math.floor(rest / values.length);
      return manifest === undefined ? [] : [manifest];
    });
    const ofKind = (kind: string) => picked.filter((manifest) => manifest.kind === kind);
    // The builders of test/builders/manifests.ts write what the API has, which is what the evaluator reads.
    yield {
      namespaces: ofKind('Namespace'),
      pods: ofKind('Pod'),
      policies: ofKind('NetworkPolicy'),
      nodes: ofKind('Node'),
    } as unknown as ApiCluster;
  }
}
