/** Findings that were there before: an earlier `-o json` of the same command. */
import { SluiceError } from '../../common/errors.ts';
import { anything, part as fields, list, text } from '../../common/shape.ts';
import { type Finding, fieldText } from '../finding.ts';
import { type Parted, part, type Suppressed } from './suppress.ts';

const entry = fields({ code: text(), object: text() }, { field: text() });
const baseline = fields({ findings: list(entry) }, { schema: anything });

/**
 * Takes out what a baseline has: the same rule at the same field of the same object. A message may change with the counts
 * in it, and lines move. What is there more often than in the baseline is new.
 * @param json of an earlier run
 * @throws SluiceError `USAGE` when it is none
 */
export function withoutBaseline({ findings, suppressed }: Parted, json: string, name: string): Parted {
  const { findings: before } = baseline.readJson(
    json,
    name,
    (problem) => new SluiceError('USAGE', `--baseline is no output of sluice lint -o json: ${problem}`),
  );
  const known = new Map<string, number>();
  for (const { code, object, field = '' } of before) {
    const key = JSON.stringify([code, object, field]);
    known.set(key, (known.get(key) ?? 0) + 1);
  }
  const rest = part(findings, (finding): Omit<Suppressed, 'finding'> | undefined => {
    const key = JSON.stringify([finding.code, objectText(finding), fieldText(finding.path)]);
    const count = known.get(key) ?? 0;
    known.set(key, count - 1);
    return count > 0 ? { by: 'baseline' } : undefined;
  });
  return { findings: rest.findings, suppressed: [...suppressed, ...rest.suppressed] };
}

/** `NetworkPolicy shop/web`. */
export function objectText({ object }: Pick<Finding, 'object'>): string {
  return `${object.kind} ${object.key}`;
}
