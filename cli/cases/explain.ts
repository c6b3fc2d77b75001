/** Why a case came out as it did, for people. */
import { answerLine, nearLines, reasonsOf } from '../can/index.ts';
import type { CaseResult } from './result.ts';

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
  const probes = (packets?.probes ?? []).map(
    ({ from, address, port, protocol, verdict, error, ms }) =>
      `packets from ${from} to ${address.includes(':') ? `[${address}]` : address}:${port}/${protocol}: ` +
      `${verdict}${error === undefined ? '' : ` (${error})`}, ${Math.round(ms)} ms\n`,
  );
  const lines = [
    `${word}${answerLine(answer)}`,
    ...(answer.verdict === 'allow'
      ? [by === NOT_ISOLATED ? 'no policy isolates either end for it\n' : `by ${by}\n`]
      : []),
    ...answer.notes.map((note) => `note: ${note}\n`),
    ...probes,
    nearLines(near),
  ];
  return lines.join('').trimEnd();
}
