/** What is to be described, as people write it: `deploy/web`, `pod web-1`, `shop/netpol/web`. */
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import type { WorkloadKind } from '../../sources/index.ts';
import { KIND_WORDS } from '../kind_words.ts';
import { didYouMean } from '../likeness.ts';

/** What was asked for. Whether it exists is for `findTarget` to say. */
export type Target =
  | { readonly kind: 'namespace'; readonly namespace: string }
  | {
      /** `named`: a pod, or a workload of any kind where no pod has the name. */
      readonly kind: 'pod' | 'named' | 'any-workload' | 'netpol';
      readonly namespace: string;
      readonly name: string;
    }
  | {
      readonly kind: 'workload';
      readonly workload: WorkloadKind;
      readonly namespace: string;
      readonly name: string;
    };

type TargetKind = WorkloadKind | 'pod' | 'svc' | 'any-workload' | 'netpol' | 'namespace';

const KINDS: ReadonlyMap<string, TargetKind> = new Map<string, TargetKind>([
  ...KIND_WORDS,
  ...['workload', 'workloads'].map((word) => [word, 'any-workload'] as const),
  ...['netpol', 'networkpolicy', 'networkpolicies'].map((word) => [word, 'netpol'] as const),
  ...['ns', 'namespace', 'namespaces'].map((word) => [word, 'namespace'] as const),
]);

/** KIND NAME is two words, all other forms are one. */
export function wantedWords(positionals: readonly string[]): number {
  const [first = ''] = positionals;
  return KINDS.has(first) ? 2 : 1;
}

/**
 * @param words what stands on the command line
 * @param namespace of names without one
 * @throws SluiceError `USAGE`
 */
export function parseTarget(words: readonly string[], namespace: string): Target {
  const [first, second, ...more] = words;
  if (first === undefined || more.length > 0)
    throw usage(`wants KIND/NAME or KIND NAME, got ${words.length === 0 ? 'nothing' : words.join(' ')}`);
  if (second === undefined) {
    if (KINDS.has(first)) throw usage(`which ${first}? Write it as ${first}/NAME`);
    return parseWord(first, namespace);
  }
  const kind = KINDS.get(first);
  if (kind === undefined) throw unknownKind(first);
  const parts = second.split('/');
  const [where, name] = parts.length === 2 ? [parts[0], parts[1]] : [namespace, parts[0]];
  if (!where || !name || parts.length > 2) throw malformed(second);
  return ofKind(kind, where, name);
}

function parseWord(text: string, namespace: string): Target {
  const parts = text.split('/');
  const [first, second, third] = parts;
  if (first === undefined || parts.includes('') || parts.length > 3) throw malformed(text);
  if (second === undefined) return { kind: 'named', namespace, name: first };
  if (third === undefined) {
    const kind = KINDS.get(first);
    return kind === undefined
      ? { kind: 'named', namespace: first, name: second }
      : ofKind(kind, namespace, second);
  }
  const kind = KINDS.get(second);
  if (kind === undefined) throw unknownKind(second);
  return ofKind(kind, first, third);
}

function ofKind(kind: TargetKind, namespace: string, name: string): Target {
  if (kind === 'svc')
    throw usage(
      `a Service is not governed by policies: describe a pod or workload behind it, or ask sluice can SRC svc/${name}:PORT`,
    );
  if (kind === 'namespace') return { kind, namespace: name };
  if (kind === 'pod' || kind === 'netpol' || kind === 'any-workload') return { kind, namespace, name };
  return { kind: 'workload', workload: kind, namespace, name };
}

/** What is like a kind, for a word in the place of one; empty where nothing is. */
export function likeKind(word: string): string {
  return didYouMean(word, KINDS.keys());
}

function unknownKind(word: string): SluiceError {
  const hint =
    likeKind(word) || ': pod, deploy, sts, ds, rs, rc, job, cronjob, workload, namespace or netpol';
  return usage(`'${printable(word)}' is no kind that can be described${hint}`);
}

function malformed(text: string): SluiceError {
  return usage(`'${printable(text)}' is none of NAME, KIND/NAME, NAMESPACE/NAME and NAMESPACE/KIND/NAME`);
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice describe --help)`);
}
