/** Which flows and pairs are shown. */
import type { ObservedFlow } from '../../../../flows/index.ts';
import type { AllowedPair } from '../../form.ts';
import { endOf } from './ends.ts';
import { STATE_WORDS } from './words.ts';

/** What the user has chosen. */
export interface Filter {
  /** Empty: all. Both ends count. */
  readonly namespace: string;
  /** Words that all have to be in the names of ends, of policies or of Services, or in the port. */
  readonly text: string;
}

/** Tests a flow. */
export function flowFilter({ namespace, text }: Filter): (flow: ObservedFlow) => boolean {
  const words = wordsOf(text);
  return (flow) => {
    const { src, dst, policy = '', service = '', protocol, port, outcome, near = [] } = flow;
    if (namespace !== '' && src.namespace !== namespace && dst.namespace !== namespace) return false;
    if (words.length === 0) return true;
    const nearest = near.map((rule) => rule.policy).join(' ');
    const all = `${endOf(src).name} ${endOf(dst).name} ${policy} ${service} ${protocol}/${port} ${STATE_WORDS[outcome]} ${nearest}`;
    return hasAll(all, words);
  };
}

/** Tests a pair. */
export function pairFilter({ namespace, text }: Filter): (pair: AllowedPair) => boolean {
  const words = wordsOf(text);
  return ({ src, dst, ports, rules }) => {
    if (namespace !== '' && src.namespace !== namespace && dst.namespace !== namespace) return false;
    if (words.length === 0) return true;
    const policies = rules.map(({ policy }) => policy).join(' ');
    return hasAll(
      `${src.namespace}/${src.workload} ${dst.namespace}/${dst.workload} ${ports} ${policies} ${STATE_WORDS.unused}`,
      words,
    );
  };
}

/** Tests a name. */
export function nameFilter({ namespace, text }: Filter): (of: string, name: string) => boolean {
  const words = wordsOf(text);
  return (of, name) => (namespace === '' || of === namespace) && hasAll(name, words);
}

function wordsOf(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

function hasAll(text: string, words: readonly string[]): boolean {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}
