/** Why a case came out as it did, for people. */
import { addressPortText } from '../../common/net.ts';
import { answerLine, nearLines, reasonsOf } from '../can/index.ts';
import type { CaseResult, Probed } from './result.ts';

/** Connections that are named; more are only counted. */
const MAX_PROBES_NAMED = 6;

/** Where no rule was needed. */
const NOT_ISOLATED = 'not isolated';

/** Who admits or denies, in short; the empty text where there is nothing to say. */
export function reasonText(result: CaseResult): string {
  if (result.result === 'error') return '';
  const reasons = reasonsOf(result.answer);
  return reasons === '' && result.answer.verdict === 'allow' ? NOT_ISOLATED : reasons;
}

/** Of a case that is not as expected: the sentence of `sluice can`, connections, and rules that came near. No line end behind. */
export function explanation(result: CaseResult): string {
  if (result.result === 'error') return '';
  const { answer, near, packets } = result;
  const word = { allow: 'allowed', deny: 'denied', partly: 'partly' }[answer.verdict];
  const by = reasonText(result);
  const probes = packets?.probes ?? [];
  const more = probes.length - MAX_PROBES_NAMED;
  const lines = [
    `${word}${answerLine(answer, near)}`,
    ...(answer.verdict === 'allow'
      ? [by === NOT_ISOLATED ? 'no policy isolates either end for it\n' : `by ${by}\n`]
      : []),
    ...answer.notes.map((note) => `note: ${note}\n`),
    ...probes.slice(0, MAX_PROBES_NAMED).map(probeLine),
    ...(more > 0 ? [`and ${more} more connections\n`] : []),
    nearLines(near),
  ];
  return lines.join('').trimEnd();
}

function probeLine({ from, address, port, protocol, verdict, error, ms }: Probed): string {
  const how = [error, ms === undefined ? undefined : `${Math.round(ms)} ms`].filter(
    (one) => one !== undefined,
  );
  const detail = how.length === 0 ? '' : ` (${how.join(', ')})`;
  return `packets from ${from} to ${protocol} ${addressPortText({ address, port })}: ${verdict}${detail}\n`;
}
