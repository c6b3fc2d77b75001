/** What npm's audits say, read from their JSON. */
import { fieldsOf, isRecord } from '../../common/shape.ts';

/** What came of one audit; `lines` are for people. */
export interface Outcome {
  /** `unanswered`: the registry could not be asked, or does not answer such questions. */
  readonly kind: 'fine' | 'found' | 'unanswered';
  readonly lines: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

/** Of `npm audit signatures --json`. */
export function readSignatures(stdout: string, stderr: string): Outcome {
  const report = parse(stdout);
  const { invalid, missing } = report ?? {};
  if (!Array.isArray(invalid) || !Array.isArray(missing)) return unanswered(report, stderr);
  const lines = [
    ...invalid.map((entry) => `${packageName(entry)} is not what was signed`),
    ...missing.map((entry) => `${packageName(entry)} has no signature`),
  ];
  return lines.length > 0
    ? { kind: 'found', lines }
    : { kind: 'fine', lines: ['the registry has signed every package and version that is installed'] };
}

/** Of `npm audit --json`. */
export function readAdvisories(stdout: string, stderr: string): Outcome {
  const report = parse(stdout);
  const vulnerabilities = report?.vulnerabilities;
  if (!isRecord(vulnerabilities)) return unanswered(report, stderr);
  const lines = Object.entries(vulnerabilities).map(([name, found]) => {
    const { severity, range, via } = fieldsOf(found);
    const titles = (Array.isArray(via) ? via : []).map((cause) =>
      typeof cause === 'string' ? `by way of ${cause}` : String(fieldsOf(cause).title),
    );
    return `${name} ${String(range)} (${String(severity)}): ${titles.join('; ')}`;
  });
  return lines.length > 0
    ? { kind: 'found', lines }
    : { kind: 'fine', lines: ['nothing is known against any package'] };
}

/** npm reports a failure as `{error: {summary}}`, that of the audit's endpoint as `{message}`. */
function unanswered(report: Json | undefined, stderr: string): Outcome {
  const { summary } = fieldsOf(report?.error);
  const why = [summary, report?.message, stderr.split('\n')[0]].find(
    (text) => typeof text === 'string' && text !== '',
  );
  return {
    kind: 'unanswered',
    lines: [`the registry cannot answer, nothing was checked: ${String(why ?? 'npm printed nothing')}`],
  };
}

function packageName(entry: unknown): string {
  const { name, version } = fieldsOf(entry);
  return `${String(name)}@${String(version)}`;
}

function parse(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
