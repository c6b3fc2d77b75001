/** What a command says of a name that nothing has. */
import { isWorkloadKind, WORKLOAD_KINDS, type WorkloadKind } from '../sources/index.ts';
import type { Input } from './input/index.ts';

/** A name that was looked for. */
export interface WantedName {
  /** Kind of thing, such as `workload`. */
  readonly what: string;
  readonly name: string;
  /** Names that are like it; see `didYouMean`. */
  readonly hint: string;
  /** Whether things of this kind of the API may have the name. */
  readonly mayBe: (kind: string) => boolean;
}

/** Of what is known whenever there is an answer: pods, policies. */
export const ALWAYS_KNOWN: WantedName['mayBe'] = () => false;

/** Of Namespaces: one may be there, and be empty. */
export const NAMESPACES: WantedName['mayBe'] = (kind) => kind === 'Namespace';

/** Of Services. */
export const SERVICES: WantedName['mayBe'] = (kind) => kind === 'Service';

/** Of workloads of one kind, or of any. */
export function workloadsOf(wanted?: WorkloadKind): WantedName['mayBe'] {
  return (kind) => isWorkloadKind(kind) && (wanted === undefined || WORKLOAD_KINDS[kind] === wanted);
}

/** `the manifests have no pod shop/web; did you mean shop/wbe?` What the user may not list may have the name all the same. */
export function unknownName(
  { noun, unlisted }: Pick<Input, 'noun' | 'unlisted'>,
  { what, name, hint, mayBe }: WantedName,
): string {
  const has = noun.startsWith('cluster') ? 'has' : 'have';
  const rights = unlisted.filter(({ kind }) => mayBe(kind)).map(({ right }) => right);
  const unseen = rights.length === 0 ? '' : `, or the user cannot see it, who may not ${rights.join(' or ')}`;
  return `the ${noun} ${has} no ${what} ${name}${unseen}${hint}`;
}
