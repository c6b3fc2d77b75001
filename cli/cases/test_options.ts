/** The command line of `sluice test`. */
import { existsSync } from 'node:fs';
import { SluiceError } from '../../common/errors.ts';
import { INPUT_PATH } from '../../sources/index.ts';
import { choice } from '../command.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { IGNORE_ERRORS_FLAG } from '../ignore_errors.ts';
import {
  INPUT_FLAGS,
  type InputChoice,
  type InputFlag,
  inputChoice,
  isRevisionPath,
  type ReadContext,
} from '../input/index.ts';
import { surplusWord } from '../surplus_word.ts';
import { type SplitPaths, splitPaths } from './split_paths.ts';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const TEST_HELP = `usage: sluice test -f CASES... [-f PATH... | -n NS | -A] [-o text|json|tap|junit] [flags]
       sluice test -f CASES... --lab NAME [flags]

Tests cases: who may connect to whom. A file of cases has a list of them:

  namespace: shop                       # of names without one; may be left out
  tests:
  - {from: deploy/web, to: svc/cart:grpc, expect: allow}
  - {from: internet, to: sts/db:5432, expect: deny, name: the database is ours}
  - {from: deploy/web, to: kube-system/svc/kube-dns:53/UDP, expect: allow}

from and to are ends as in sluice can (see sluice help can), to with a port behind it. Port and protocol may also be fields
of their own, port and protocol. A Service, a block of addresses or internet is allowed where all of it is, and denied where
all of it is.

Of the paths of -f, files with a list of tests are cases, in folders and git revisions too, and so is such a standard input; the
others are manifests. Of manifests (-f) and of the
cluster of the kubeconfig, with your own rights, the engine judges the objects: no packet is sent. In a lab (--lab) each case is real
connections between the network namespaces, TCP and UDP, and the engine has to say the same: a case on which they differ is not
as expected. A lab tries a block of addresses, or internet, with the addresses that it has outside (sluice lab up --external).
`;

/** What the help has after the flags. */
export const TEST_HELP_END = `Exit code: 0 all cases are as expected, 1 some are not, 2 error, also where a case could not be judged, 124 the time of
--timeout is over.
`;

const OUTPUTS = ['text', 'json', 'tap', 'junit'] as const;

/** The flags. */
export const TEST_FLAGS = {
  ...INPUT_FLAGS,
  file: {
    short: 'f',
    value: 'PATH',
    help: `files of cases; and manifests, YAML or JSON: files or directories, - for standard input, or a git
revision with a path in it, such as main:k8s/; may be repeated, may be a shell glob`,
  },
  lab: { value: 'NAME', help: 'test with real packets in a lab of this machine; needs root' },
  output: {
    short: 'o',
    value: 'FORMAT',
    help: 'text (the default), json, tap (version 14) or junit (XML)',
    choices: OUTPUTS,
  },
  'no-headers': { help: 'text: the cases only, without the line that counts them' },
  ...IGNORE_ERRORS_FLAG,
} as const satisfies FlagTable;

/** One of them. */
export type TestFlag = keyof typeof TEST_FLAGS;

/** How results are printed. */
export type TestOutput = (typeof OUTPUTS)[number];

/** A checked command line. */
export interface TestCommand {
  readonly cases: SplitPaths['cases'];
  readonly standardInput?: Buffer;
  readonly input: InputChoice;
  readonly output: TestOutput;
  readonly headers: boolean;
  readonly ignoreErrors: boolean;
}

/** @throws SluiceError `USAGE`, `MANIFEST_UNREADABLE`, and those of `splitPaths` */
export async function testCommand(
  values: FlagValues<TestFlag>,
  context: Pick<ReadContext, 'signal'>,
): Promise<TestCommand> {
  const [surplus] = values.positionals;
  if (surplus !== undefined) throw usage(surplusWord(surplus));
  const output = choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'test');
  const { cases, others, ...rest } = await splitPaths(values.list('file'), context);
  const missing = others.find((path) => !existsSync(path) && path !== INPUT_PATH && !isRevisionPath(path));
  if (missing !== undefined)
    throw new SluiceError('MANIFEST_UNREADABLE', `${missing} cannot be read: there is no such file`);
  if (cases.length === 0)
    throw usage(
      `${values.has('file') ? 'no file of -f has cases' : 'there are no cases'}: name a file that has a list of tests, with -f`,
    );
  const list = (flag: InputFlag) => (flag === 'file' ? others : values.list(flag));
  return {
    ...rest,
    cases,
    input: inputChoice({ ...values, list }),
    output,
    headers: !values.has('no-headers'),
    ignoreErrors: values.has('ignore-errors'),
  };
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice test --help)`);
}
