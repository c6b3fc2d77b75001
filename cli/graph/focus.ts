/** What `--focus` means, and what is near it. */
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import type { ComparedEnd, EndGroup } from '../connectivity/index.ts';
import { KIND_WORDS } from '../kind_words.ts';
import { didYouMean } from '../likeness.ts';
import { havePublic, INTERNET } from '../public_addresses.ts';
import type { Edge } from './edges.ts';

/**
 * The ends that a name means. `internet` is the networks that have public addresses; a workload of that name is `deploy/internet`.
 * @param namespace of names without one; where none was given, all namespaces are looked through
 * @throws SluiceError `ENDPOINT_UNKNOWN`
 */
export function endsOfFocus(
  text: string,
  ends: readonly ComparedEnd[],
  namespace: string | undefined,
): readonly ComparedEnd[] {
  if (text === INTERNET) return ends.filter((end) => end.kind === 'network' && havePublic(end.blocks));
  const parts = text.split('/');
  const [first = '', second, third] = parts;
  const kindOf = (word: string): string => KIND_WORDS.get(word) ?? word;
  const found = ends.filter((end) => {
    if (end.kind !== 'pods' || parts.length > 3) return false;
    const { namespace: own, workload } = end;
    const isHere = namespace === undefined || own === namespace;
    if (second === undefined) return isHere && (lastPart(workload) === first || end.pods.includes(first));
    if (third !== undefined) return own === first && workload === `${kindOf(second)}/${third}`;
    if (own === first && (second === '*' || lastPart(workload) === second)) return true;
    return isHere && workload === `${kindOf(first)}/${second}`;
  });
  if (found.length > 0) return found;
  const names = ends.flatMap((end) =>
    end.kind === 'pods' ? [`${end.namespace}/${end.workload}`, end.workload] : [],
  );
  names.push(INTERNET);
  throw new SluiceError(
    'ENDPOINT_UNKNOWN',
    `there is no workload ${printable(text)} to focus on${didYouMean(text, names)}`,
  );
}

function lastPart(workload: string): string {
  return workload.slice(workload.indexOf('/') + 1);
}

/** The edges on ways of at most `depth` edges from or to the focus. Edges that no policy decides lead no farther. */
export function edgesNear(
  focus: readonly EndGroup[],
  edges: readonly Edge[],
  depth: number,
): readonly Edge[] {
  const start: ReadonlySet<EndGroup> = new Set(focus);
  let near = start;
  for (let step = 1; step < depth; step += 1) {
    const next = new Set(near);
    for (const { from, to, isDecided } of edges) {
      if (!isDecided) continue;
      if (near.has(from)) next.add(to);
      if (near.has(to)) next.add(from);
    }
    if (next.size === near.size) break;
    near = next;
  }
  return edges.filter(({ from, to, isDecided }) => {
    const set = isDecided ? near : start;
    return set.has(from) || set.has(to);
  });
}
