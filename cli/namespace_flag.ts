/** The value of a flag that names a namespace, such as `-n`. */
import { SluiceError } from '../common/errors.ts';
import { dnsLabelProblems } from '../policy/index.ts';

/**
 * @param flag as it is called in the error
 * @returns the flag's value as it is
 * @throws SluiceError `USAGE` when no namespace can have this name
 */
export function checkNamespaceFlag<T extends string | undefined>(value: T, flag: string = '-n'): T {
  if (value === undefined || dnsLabelProblems(value).length === 0) return value;
  throw new SluiceError('USAGE', `${flag} is ${JSON.stringify(value)}, which no namespace can be called`);
}
