/** The value of `-n`, which means the same in every command that reads files. */
import { SluiceError } from '../common/errors.ts';
import { dnsLabelProblems } from '../policy/index.ts';

/**
 * @returns the flag's value as it is
 * @throws SluiceError `USAGE` when no namespace can have this name
 */
export function checkNamespaceFlag<T extends string | undefined>(value: T): T {
  if (value === undefined || dnsLabelProblems(value).length === 0) return value;
  throw new SluiceError('USAGE', `-n is ${JSON.stringify(value)}, which no namespace can be called`);
}
