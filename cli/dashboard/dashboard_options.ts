/** The command line of `sluice dashboard`. */
import { SluiceError } from '../../common/errors.ts';
import type { FlagTable, FlagValues } from '../flags/index.ts';
import { FLOW_FLAGS, type FlowChoice, flowChoice, objectsOf } from '../flows/index.ts';
import { INPUT_FLAGS, type InputChoice } from '../input/index.ts';
import { surplusWord } from '../surplus_word.ts';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const DASHBOARD_HELP = `usage: sluice dashboard --lab NAME [-n NS] [--port N]
       sluice dashboard -i FILE [-f PATH...] [-n NS] [--port N]
       sluice dashboard [--direct] [-n NS | -A] [--port N]

Shows observed flows in a browser: who talks to whom, what is denied and why, which rules are used, and which pods have their
policies in force. Of a lab and of a cluster the page is live. Of a file it shows what sluice observe has written; the manifests of
-f add policies, and what they allow and nobody used.

The page is served by this machine to this machine (127.0.0.1), for as long as the command runs: Ctrl-C ends it. The link that is
printed works once. On a terminal, Enter prints another one. Nothing can be changed through the page.
`;

/** What the help has after the flags. */
export const DASHBOARD_HELP_END = `Exit code: 0 ended by Ctrl-C, 2 error, 124 the time of --timeout is over.
`;

/** The flags. */
export const DASHBOARD_FLAGS = {
  ...FLOW_FLAGS,
  in: { ...FLOW_FLAGS.in, help: 'flows as sluice observe -o ndjson has written them' },
  file: { ...INPUT_FLAGS.file, help: 'with -i: the manifests that were in force, as for the other commands' },
  port: { value: 'N', help: 'listen on this port of 127.0.0.1; default: one that is free' },
} as const satisfies FlagTable;

/** One of them. */
export type DashboardFlag = keyof typeof DASHBOARD_FLAGS;

/** A checked command line. */
export interface DashboardCommand {
  readonly flows: FlowChoice;
  /** Where objects are from; undefined: from nowhere. */
  readonly objects?: InputChoice;
  /** 0: any that is free. */
  readonly port: number;
}

const MAX_PORT = 65_535;

/** @throws SluiceError `USAGE` */
export function dashboardCommand(values: FlagValues<DashboardFlag>): DashboardCommand {
  const [surplus] = values.positionals;
  if (surplus !== undefined)
    throw new SluiceError('USAGE', `${surplusWord(surplus)} (see sluice dashboard --help)`);
  const port = values.text('port') ?? '0';
  if (!/^\d{1,5}$/.test(port) || Number(port) > MAX_PORT)
    throw new SluiceError('USAGE', `--port is '${port}': wants a number up to ${MAX_PORT}`);
  const flows = flowChoice(values);
  const paths = values.list('file');
  if (flows.kind !== 'lines') {
    if (paths.length > 0)
      throw new SluiceError('USAGE', 'the manifests of -f go with flows of a file: name it with -i FILE');
    return { flows, objects: objectsOf(flows), port: Number(port) };
  }
  if (flows.path === '-')
    throw new SluiceError(
      'USAGE',
      'the page asks again and again: write the flows to a file, and name it with -i FILE',
    );
  const { namespace } = flows;
  const objects = { kind: 'files', paths, ...(namespace === undefined ? {} : { namespace }) } as const;
  return { flows, port: Number(port), ...(paths.length === 0 ? {} : { objects }) };
}
