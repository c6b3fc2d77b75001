/** The flags that `lab` commands share, and what they come to. */
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { checkLabName, DEFAULT_LAB_NAME } from '../../lab/index.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { checkNamespaceFlag } from '../namespace_flag.ts';
import { complain } from '../output.ts';
import { surplusWord } from '../surplus_word.ts';

/** Which lab. */
export const NAME_FLAG = {
  name: {
    value: 'NAME',
    help: 'which lab, default "lab"; labs of different names do not meet, addresses may repeat',
    completes: 'lab',
  },
} as const satisfies FlagTable;

/** Which manifests. */
export const FILE_FLAGS = {
  file: {
    short: 'f',
    value: 'PATH',
    help: `manifests: files or folders, YAML or JSON, several documents; - for standard input;
may be repeated, may be a shell glob`,
  },
  namespace: {
    short: 'n',
    value: 'NS',
    help: 'the namespace of objects that do not say theirs, default "default"',
    completes: 'nothing',
  },
} as const satisfies FlagTable;

/** The lab that is meant. @throws SluiceError `LAB_NAME_INVALID` */
export function labName(values: FlagValues<keyof typeof NAME_FLAG>): string {
  return checkLabName(values.text('name') ?? DEFAULT_LAB_NAME);
}

/** The namespace of objects that do not say theirs. @throws SluiceError `USAGE` */
export function namespaceOf(values: FlagValues<keyof typeof FILE_FLAGS>): string | undefined {
  return checkNamespaceFlag(values.text('namespace'));
}

/** For commands that a message tells to run. */
export function nameSuffix(name: string): string {
  return name === DEFAULT_LAB_NAME ? '' : ` --name ${name}`;
}

/** Files without which a command can do nothing. @throws SluiceError `USAGE` */
export function wantedFiles(
  values: FlagValues<keyof typeof FILE_FLAGS>,
  what: string,
  command: string,
): readonly string[] {
  const files = values.list('file');
  if (files.length > 0) return files;
  throw new SluiceError('USAGE', `${what} is missing (see sluice ${command} --help)`);
}

/** @throws SluiceError `USAGE` where there are more arguments than `most` */
export function checkCount({ positionals }: FlagValues<never>, most: number, command: string): void {
  const surplus = positionals[most];
  if (surplus !== undefined)
    throw new SluiceError('USAGE', `${surplusWord(surplus)} (see sluice ${command} --help)`);
}

/** A warning, on standard error. */
export function warn(line: string): void {
  complain(`sluice: warning: ${printable(line)}`);
}
