/** Ends of flows as people ask for them: `deploy/web`, `shop/web`, `shop/*`, an address. */

import { isIP } from 'node:net';
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import type { FlowQuestion } from '../../flows/index.ts';
import { KIND_WORDS } from '../kind_words.ts';
import { didYouMean } from '../likeness.ts';
import { observedWorkload } from '../observed_workload.ts';

/** An end, as a question has it. */
export type AskedEnd = NonNullable<FlowQuestion['from']>[number];

/** What a name without a kind may be of. Flows call a CronJob `cronjob`. */
const KINDS = ['deploy', 'sts', 'ds', 'pod', 'cronjob', 'job', 'rs', 'rc'] as const;

const NODE = 'node';

/**
 * One of these fits where the text means several, as a name without a kind does.
 * @param namespace of names without one; undefined: they may be in any
 * @param flag for messages
 * @throws SluiceError `USAGE`
 */
export function askedEnds(text: string, namespace: string | undefined, flag: string): readonly AskedEnd[] {
  if (isAddress(text)) return [{ address: text }];
  const parts = text.split('/');
  const [first = '', second, third] = parts;
  const malformed = () =>
    new SluiceError(
      'USAGE',
      `${flag} is '${printable(text)}': wants NAME, KIND/NAME, NAMESPACE/NAME, NAMESPACE/KIND/NAME, NAMESPACE/*, node/NAME, an ` +
        'address or a CIDR',
    );
  if (parts.includes('') || parts.length > 3) throw malformed();
  const own = namespace === undefined ? {} : { namespace };
  if (second === undefined) {
    if (first === '*') throw malformed();
    return ofAnyKind(first, own);
  }
  if (third !== undefined) return [{ namespace: first, workload: workload(second, third, flag) }];
  if (second === '*') return [{ namespace: first }];
  if (first === NODE) return [{ workload: `${NODE}/${second}` }];
  return isKind(first)
    ? [{ ...own, workload: workload(first, second, flag) }]
    : ofAnyKind(second, { namespace: first });
}

function isAddress(text: string): boolean {
  const [address = '', bits, more] = text.split('/');
  return isIP(address) !== 0 && more === undefined && (bits === undefined || /^\d{1,3}$/.test(bits));
}

function isKind(word: string): boolean {
  return KIND_WORDS.has(word);
}

function ofAnyKind(name: string, own: { readonly namespace?: string }): readonly AskedEnd[] {
  return KINDS.map((kind) => ({ ...own, workload: `${kind}/${name}` }));
}

/** As flows write it. */
function workload(word: string, name: string, flag: string): string {
  const kind = KIND_WORDS.get(word);
  if (kind === 'svc')
    throw new SluiceError(
      'USAGE',
      `${flag}: flows are between workloads: name one behind the Service ${printable(name)}`,
    );
  if (kind === undefined)
    throw new SluiceError(
      'USAGE',
      `${flag}: '${printable(word)}' is no kind of workload${didYouMean(word, KIND_WORDS.keys())}`,
    );
  return observedWorkload(`${kind}/${name}`);
}
