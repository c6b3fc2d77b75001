/** The command line of `sluice observe`. */
import { SluiceError } from '../../common/errors.ts';
import { isPort, PROTOCOLS } from '../../common/net.ts';
import { type FlowQuestion, GROUPS, type Group, MAX_EDGES, OUTCOMES } from '../../flows/index.ts';
import { type CommonFlag, choice } from '../command.ts';
import { type FlagTable, type FlagValues, momentMs } from '../flags/index.ts';
import { FLOW_FLAGS, type FlowChoice, flowChoice } from '../flows/index.ts';
import { surplusWord } from '../surplus_word.ts';

/** What the help has before the flags. docs/reference/cli.md carries the same text. */
export const OBSERVE_HELP = `usage: sluice observe [-n NS | -A] [--denied] [--from END] [--to END] [--since TIME] [-o FORMAT]
       sluice observe -f [--denied] [--from END] [--to END]
       sluice observe --explain N [flags]

Says who has talked to whom, and what was denied: a row for flows that are alike, with how many there were, when, and the rule
that admitted them, or the one that came nearest and what it lacks. Sources in one namespace that differ only by name are in one
row; -o wide has a row for each. The last line says since when flows are observed, and how many are missing (lost) and why.

Flows come from the injector of a cluster or of a lab (--lab), from the sidecars' own memory, the last few hundred of each pod
(--direct), or from a file that observe -o ndjson has written (-i). -n asks about flows with an end in that namespace.

END:
  NAME, KIND/NAME          a workload or pod in -n NAMESPACE; a pod where no other pod of its workload had such flows
  NAMESPACE/NAME, NAMESPACE/KIND/NAME, NAMESPACE/*
  ADDRESS, CIDR            outside of the cluster
  node/NAME
Of flags that may be repeated one has to fit; all that are named have to fit together.
`;

/** What the help has after the flags. */
export const OBSERVE_HELP_END = `Exit code: 0 done, also where there are no flows, 2 error, 124 the time of --timeout is over.
`;

const OUTPUTS = ['text', 'wide', 'json', 'ndjson', 'yaml'] as const;

/** How `--not` calls the fields of a question. */
const NEGATABLE = {
  from: 'from',
  to: 'to',
  port: 'ports',
  protocol: 'protocols',
  verdict: 'outcomes',
  policy: 'policies',
} as const satisfies Record<string, NonNullable<FlowQuestion['not']>[number]>;

const NEGATABLE_NAMES = ['from', 'to', 'port', 'protocol', 'verdict', 'policy'] as const;

/** The flags. */
export const OBSERVE_FLAGS = {
  ...FLOW_FLAGS,
  from: { value: 'END', help: 'only flows from there; may be repeated', completes: 'endpoint' },
  to: { value: 'END', help: 'only flows to there; may be repeated', completes: 'endpoint' },
  port: { value: 'PORT[/PROTO]', help: 'only flows to this port; may be repeated', completes: 'nothing' },
  protocol: { value: 'PROTO', help: 'only TCP, UDP or SCTP; may be repeated', choices: PROTOCOLS },
  denied: { help: 'only what was denied, or was cut by a change' },
  verdict: { value: 'WORD', help: 'only allow, deny, cut or audit; may be repeated', choices: OUTCOMES },
  policy: { value: 'NAME', help: 'only flows that this policy admitted, or came near to; may be repeated' },
  external: { help: 'only flows to or from outside of the cluster' },
  not: {
    value: 'FLAG',
    help: `what is to differ in place of fit: ${NEGATABLE_NAMES.join(', ')}; may be repeated`,
    choices: NEGATABLE_NAMES,
  },
  since: { value: 'TIME', help: 'from then on: 15m, 7d or 2026-11-30T12:00:00Z; default 1h, with -i all' },
  until: { value: 'TIME', help: 'up to then; default now' },
  'group-by': {
    value: 'LIST',
    help: `rows by ${GROUPS.join(', ')}, such as src,dst; what differs is written as *`,
    choices: GROUPS,
  },
  follow: { short: 'f', help: 'each edge in a line as it comes, until Ctrl-C' },
  explain: { value: 'N', help: 'all that is known of row N of the same question', completes: 'nothing' },
  limit: {
    value: 'N',
    help: `rows of text, default 50; of the other formats, default ${MAX_EDGES}`,
    completes: 'nothing',
  },
  output: {
    short: 'o',
    value: 'FORMAT',
    help: 'text (the default), wide (each edge, with kinds), json, ndjson (what -i reads) or yaml',
    choices: OUTPUTS,
  },
  'no-headers': { help: 'text: rows only' },
} as const satisfies FlagTable;

/** One of them. */
export type ObserveFlag = keyof typeof OBSERVE_FLAGS;

/** How it is printed. */
export type ObserveOutput = (typeof OUTPUTS)[number];

/** A checked command line. Ends and policies are as they were written: what they are in is known only later. */
export interface ObserveCommand {
  readonly flows: FlowChoice;
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly policies: readonly string[];
  readonly question: Omit<FlowQuestion, 'namespaces' | 'from' | 'to' | 'policies'>;
  readonly follow: boolean;
  /** Number of a row, from 1. */
  readonly explain?: number;
  /** Rows of text. */
  readonly limit?: number;
  readonly output: ObserveOutput;
  readonly headers: boolean;
  readonly nowMs: number;
}

const HOUR_MS = 3_600_000;

/** @throws SluiceError `USAGE` */
export function observeCommand(
  values: FlagValues<ObserveFlag | CommonFlag>,
  nowMs: number = Date.now(),
): ObserveCommand {
  const [surplus] = values.positionals;
  if (surplus !== undefined) throw usage(surplusWord(surplus));
  const flows = flowChoice(values);
  const output = choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'observe');
  const follow = values.has('follow');
  const explain = values.text('explain');
  checkTogether(values, output);
  const limit = values.text('limit');
  return {
    flows,
    from: values.list('from'),
    to: values.list('to'),
    policies: values.list('policy'),
    question: { ...spanOf(values, flows, nowMs), ...filtersOf(values) },
    follow,
    ...(explain === undefined ? {} : { explain: numberOf(explain, '--explain') }),
    ...(limit === undefined ? {} : { limit: numberOf(limit, '--limit') }),
    output,
    headers: !values.has('no-headers'),
    nowMs,
  };
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', `${message} (see sluice observe --help)`);
}

function checkTogether(values: FlagValues<ObserveFlag>, output: ObserveOutput): void {
  if (values.has('denied') && values.has('verdict'))
    throw usage('--denied is --verdict deny --verdict cut: leave one out');
  if (values.has('explain') && output !== 'text' && output !== 'wide')
    throw usage(`--explain is text: leave -o ${output} out`);
  if (!values.has('follow')) return;
  if (output === 'json' || output === 'yaml')
    throw usage(`-f has no end, and so no -o ${output}: use -o ndjson`);
  const [wrong] = (['since', 'until', 'group-by', 'explain', 'limit'] as const).filter((flag) =>
    values.has(flag),
  );
  if (wrong !== undefined) throw usage(`-f says what comes from now on: leave --${wrong} out`);
}

function spanOf(
  values: FlagValues<ObserveFlag>,
  flows: FlowChoice,
  nowMs: number,
): Pick<FlowQuestion, 'since' | 'until'> {
  const [since, until] = [values.text('since'), values.text('until')];
  const isFile = flows.kind === 'lines';
  const span = {
    since: since === undefined ? (isFile ? 0 : nowMs - HOUR_MS) : momentMs(since, '--since', nowMs),
    until:
      until === undefined ? (isFile ? Number.MAX_SAFE_INTEGER : nowMs) : momentMs(until, '--until', nowMs),
  };
  if (span.since > span.until) throw usage('--since is later than --until');
  return span;
}

function filtersOf(values: FlagValues<ObserveFlag>): Omit<FlowQuestion, 'since' | 'until'> {
  const asked = listOf(values, 'port').map(portOf);
  const protocols = [
    ...listOf(values, 'protocol').map((text) =>
      choice(text.toUpperCase(), PROTOCOLS, '--protocol', 'observe'),
    ),
    ...asked.flatMap(({ protocol }) => protocol ?? []),
  ];
  const outcomes = values.has('denied')
    ? (['deny', 'cut'] as const)
    : listOf(values, 'verdict').map((text) => choice(text, OUTCOMES, '--verdict', 'observe'));
  const not = listOf(values, 'not').map(
    (text) => NEGATABLE[choice(text.replace(/^--/, ''), NEGATABLE_NAMES, '--not', 'observe')],
  );
  const groupBy: readonly Group[] = listOf(values, 'group-by').map((text) =>
    choice(text, GROUPS, '--group-by', 'observe'),
  );
  if (not.includes('ports') && asked.some(({ protocol }) => protocol !== undefined))
    throw usage('--not port is about numbers: write the protocol as --protocol, or leave it out');
  return {
    ...(asked.length === 0 ? {} : { ports: asked.map(({ port }) => port) }),
    ...(protocols.length === 0 ? {} : { protocols }),
    ...(outcomes.length === 0 ? {} : { outcomes }),
    ...(values.has('external') ? { external: true } : {}),
    ...(not.length === 0 ? {} : { not }),
    ...(groupBy.length === 0 ? {} : { groupBy }),
  };
}

/** Of a flag that may be repeated, or have several values with commas. */
function listOf(values: FlagValues<ObserveFlag>, flag: ObserveFlag): readonly string[] {
  return values.list(flag).flatMap((text) => text.split(','));
}

/** `8080`, `53/UDP`. */
function portOf(text: string): { readonly port: number; readonly protocol?: (typeof PROTOCOLS)[number] } {
  const [number = '', word, more] = text.split('/');
  const port = Number(/^\d{1,5}$/.test(number) ? number : Number.NaN);
  if (!isPort(port) || more !== undefined)
    throw usage(`--port is '${text}': wants a number, such as 8080 or 53/UDP`);
  return word === undefined
    ? { port }
    : { port, protocol: choice(word.toUpperCase(), PROTOCOLS, '--port', 'observe') };
}

function numberOf(text: string, flag: string): number {
  const number = Number(/^\d{1,6}$/.test(text) ? text : Number.NaN);
  if (number >= 1 && number <= MAX_EDGES) return number;
  throw usage(`${flag} is '${text}': wants a number from 1 to ${MAX_EDGES}`);
}
