/** Which policy is meant: `netpol/x`, `netpol x`, `shop/netpol/x`, `x`. */
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { didYouMean } from '../likeness.ts';

const WORDS = ['netpol', 'networkpolicy', 'networkpolicies'] as const;

/** A policy by its name. */
export interface PolicyTarget {
  /** Absent: the one that is meant by the flags. */
  readonly namespace?: string;
  readonly name: string;
}

/** `netpol x` is two words. */
export function policyWords([first = '']: readonly string[]): number {
  return isPolicyWord(first) ? 2 : 1;
}

function isPolicyWord(word: string): boolean {
  return WORDS.some((one) => one === word);
}

/** @param command for the message. @throws SluiceError `USAGE` */
export function parsePolicyTarget(words: readonly string[], command: string): PolicyTarget {
  const usage = (message: string): SluiceError =>
    new SluiceError('USAGE', `${message} (see sluice ${command} --help)`);
  const text = words.join(words.length === 2 && isPolicyWord(words[0] ?? '') ? '/' : ' ');
  const parts = text.split('/');
  const malformed = (): SluiceError =>
    usage(`'${printable(text)}' is none of netpol/NAME, NAMESPACE/netpol/NAME and NAMESPACE/NAME`);
  if (parts.includes('') || parts.length > 3 || text.includes(' ')) throw malformed();
  const [first = '', second, third] = parts;
  if (second === undefined) {
    if (isPolicyWord(first)) throw usage(`which ${first}? Write it as ${first}/NAME`);
    return { name: first };
  }
  if (third === undefined) return isPolicyWord(first) ? { name: second } : { namespace: first, name: second };
  if (!isPolicyWord(second))
    throw usage(
      `'${printable(second)}' is no kind that has a status${didYouMean(second, WORDS) || ': netpol has'}`,
    );
  return { namespace: first, name: third };
}
