/** `sluice connections`: which connections into pods are live, and the rules that hold them. */
import { stringify } from 'yaml';
import { unreachable } from '../../common/errors.ts';
import { objectKey } from '../../policy/index.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { askPods, connectionsPage, findPods, openSidecars, silentText } from '../flows/index.ts';
import { writeLines } from '../lines.ts';
import { reportNotes } from '../problems.ts';
import {
  CONNECTIONS_FLAGS,
  CONNECTIONS_HELP,
  CONNECTIONS_HELP_END,
  type ConnectionsCommand,
  connectionsCommand,
  wantedWords,
} from './connections_options.ts';
import { connectionLines } from './connections_text.ts';
import { connectionData } from './rows.ts';

/** Names the form: docs/schema/connections.v1.json. */
export const CONNECTIONS_SCHEMA = 'sluice.dev/connections/v1';

/** Connections that the JSON has, the oldest first; the rest is counted: some 20 MB. */
const MAX_LISTED = 50_000;

/**
 * Runs the command: reads what follows `sluice connections`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, `NAME_UNKNOWN`, `FLOWS_UNREADABLE`, `LAB_NOT_FOUND`, `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`,
 * `RIGHT_MISSING`, `INPUT_TOO_LARGE`
 */
export const runConnections = createCommand({
  name: 'connections',
  help: CONNECTIONS_HELP,
  flags: CONNECTIONS_FLAGS,
  afterFlags: CONNECTIONS_HELP_END,
  wanted: wantedWords,
  positionals: ['pod', 'nothing'],
  run: (values, context) => run(connectionsCommand(values), context),
});

async function run(
  { live, target, output, limit, headers }: ConnectionsCommand,
  context: CommandContext,
): Promise<number> {
  const sidecars = await openSidecars(live, context);
  const { namespace } = sidecars;
  const own = sidecars.pods.filter((pod) => namespace === undefined || pod.namespace === namespace);
  const pods = target === undefined ? own : findPods(sidecars, target, namespace);
  const found = await askPods(sidecars, pods, '/connections', connectionsPage, context);
  context.progress.end();
  const silent = silentText(found);
  if (silent !== undefined) reportNotes([silent]);
  const all = found.pages
    .flatMap(({ pod, page }) => page.map((view) => connectionData(view, pod, sidecars.names)))
    .sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
  const data = {
    schema: CONNECTIONS_SCHEMA,
    pods: pods.map((pod) => objectKey(pod.namespace, pod.name)),
    silent: found.silent.map(({ pod, why }) => ({ pod: objectKey(pod.namespace, pod.name), why })),
    connections: all.slice(0, MAX_LISTED),
    ...(all.length > MAX_LISTED ? { left_out: all.length - MAX_LISTED } : {}),
  };
  switch (output) {
    case 'json':
      await context.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
      return EXIT.yes;
    case 'yaml':
      await context.stdout.write(stringify(data, { aliasDuplicateObjects: false }));
      return EXIT.yes;
    case 'text':
    case 'wide': {
      const options = { wide: output === 'wide', headers, limit, nowMs: Date.now() };
      await writeLines(connectionLines(all, found.pages.length, options), context);
      return EXIT.yes;
    }
    default:
      return unreachable(output);
  }
}
