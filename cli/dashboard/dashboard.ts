/** `sluice dashboard`: serves the page until it is interrupted. */
import { createInterface } from 'node:readline';
import { unreachable } from '../../common/errors.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { type OpenedFlows, openFlows } from '../flows/index.ts';
import {
  DASHBOARD_FLAGS,
  DASHBOARD_HELP,
  DASHBOARD_HELP_END,
  type DashboardCommand,
  dashboardCommand,
} from './dashboard_options.ts';
import { fresh, readFacts } from './facts/index.ts';
import type { SourceFacts } from './form.ts';
import { pageFiles } from './page_files.ts';
import { type DashboardServer, startDashboardServer } from './server/index.ts';

/** Facts that are older are read again when the page asks, ms. It asks every few seconds. */
const FACTS_MS = 5_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs the command: reads what follows `sluice dashboard`, serves the page, and resolves to the exit code when it is interrupted.
 * @throws SluiceError `USAGE`, `LISTEN_ADDRESS_UNUSABLE`, those of `readInput` and of `openFlows`
 */
export const runDashboard = createCommand({
  name: 'dashboard',
  help: DASHBOARD_HELP,
  flags: DASHBOARD_FLAGS,
  afterFlags: DASHBOARD_HELP_END,
  cleansUp: true,
  wanted: () => 0,
  run: (values, context) => run(dashboardCommand(values), context),
});

async function run(command: DashboardCommand, context: CommandContext): Promise<number> {
  const opened = await openFlows(command.flows, context);
  try {
    const server = await serve(command, opened, context);
    try {
      const another = process.stdin.isTTY ? '; Enter prints another' : '';
      await context.stdout.write(
        `Dashboard of ${opened.where}. The link works once${another}. Ctrl-C ends the dashboard.\n${server.link()}\n`,
      );
      await interrupted(server, context);
    } finally {
      await server.close();
    }
  } finally {
    opened.source.close();
  }
  return EXIT.yes;
}

async function serve(
  { flows, objects, port }: DashboardCommand,
  { source, where, namespaces }: OpenedFlows,
  context: CommandContext,
): Promise<DashboardServer> {
  const facts = fresh(
    () =>
      readFacts(
        objects,
        { name: where, live: flows.kind !== 'lines', flags: flagsOf(flows, objects) },
        context,
      ),
    FACTS_MS,
  );
  // What is wrong is said here, and not in the browser.
  await facts();
  context.progress.say('asking for flows');
  const question = namespaces === undefined ? {} : { namespaces };
  await source.ask({ ...question, since: 0, until: Date.now(), limit: 1 });
  context.progress.end();
  return await startDashboardServer({ flows: source, facts, page: await pageFiles(), question }, port);
}

/** What a command is given to look at the same objects. */
function flagsOf(
  flows: DashboardCommand['flows'],
  objects: DashboardCommand['objects'],
): SourceFacts['flags'] {
  const namespace = flows.namespace === undefined ? [] : ['-n', flows.namespace];
  switch (flows.kind) {
    case 'lines':
      return [
        ...(objects?.kind === 'files' ? objects.paths.flatMap((path) => ['-f', path]) : []),
        ...namespace,
      ];
    case 'lab':
      return ['--lab', flows.lab, ...namespace];
    case 'cluster':
      return [
        ...(flows.context === undefined ? [] : ['--context', flows.context]),
        ...(flows.kubeconfig === undefined ? [] : ['--kubeconfig', flows.kubeconfig]),
        ...namespace,
      ];
    default:
      return unreachable(flows);
  }
}

/** Resolves when it is time to end. Meanwhile Enter on a terminal prints another link. */
async function interrupted(server: DashboardServer, { signal, stdout }: CommandContext): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  for (const one of SIGNALS) process.once(one, end);
  signal.addEventListener('abort', end);
  const terminal = process.stdin.isTTY ? createInterface({ input: process.stdin }) : undefined;
  terminal?.on('line', () => void stdout.write(`${server.link()}\n`)).on('SIGINT', end);
  try {
    await promise;
  } finally {
    terminal?.close();
    for (const one of SIGNALS) process.off(one, end);
  }
}
