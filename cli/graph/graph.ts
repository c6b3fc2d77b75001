/** `sluice graph`: which connections policies let through. */
import { SluiceError, unreachable } from '../../common/errors.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import {
  blocksOfPolicies,
  type ComparedEnd,
  comparedEnds,
  createConnectivity,
  createNetworks,
  groupEnds,
  type KnownPods,
  knownPods,
  podCandidates,
} from '../connectivity/index.ts';
import { type Input, readInput, wholeCluster } from '../input/index.ts';
import { reportNotes, reportProblems } from '../problems.ts';
import { connectionsOf } from './connections.ts';
import { dotText } from './dot.ts';
import { drawingOf } from './drawing.ts';
import { type Edge, edgesOf } from './edges.ts';
import { edgesNear, endsOfFocus } from './focus.ts';
import { graphJson } from './graph_json.ts';
import { GRAPH_FLAGS, GRAPH_HELP, GRAPH_HELP_END, type GraphCommand, graphCommand } from './graph_options.ts';
import { connectionLines, graphCounts } from './graph_text.ts';
import { mermaidText } from './mermaid.ts';
import { svgText } from './svg.ts';

/**
 * Runs the command: reads what follows `sluice graph`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, `ENDPOINT_UNKNOWN`, `INPUT_TOO_LARGE`, and those of `readInput`
 */
export const runGraph = createCommand({
  name: 'graph',
  help: GRAPH_HELP,
  flags: GRAPH_FLAGS,
  afterFlags: GRAPH_HELP_END,
  wanted: () => 0,
  run: (values, context) => run(graphCommand(values), context),
});

async function run(command: GraphCommand, context: CommandContext): Promise<number> {
  const input = await readInput(command.input, wholeCluster, context);
  context.progress.end();
  const known = knownPods(input.manifests);
  if (!reportProblems(input.manifests, command.ignoreErrors, known.problems)) return EXIT.error;
  const graph = await graphOf(input, known, command, context);
  context.progress.end();
  reportNotes(graph.notes.filter((note) => !known.problems.includes(note)));
  await context.stdout.write(printed(graph, command));
  return EXIT.yes;
}

/** Connections that are the same to policy, and of which rows or drawings are made: a few seconds. */
const MAX_EDGES = 20_000;

interface Graph {
  /** Ends that are printed. */
  readonly ends: readonly ComparedEnd[];
  /** All that are known. */
  readonly all: readonly ComparedEnd[];
  readonly edges: readonly Edge[];
  readonly notes: readonly string[];
}

async function graphOf(
  { manifests, namespace, notes }: Input,
  { pods, problems }: KnownPods,
  command: GraphCommand,
  { progress, signal, checkTime }: CommandContext,
): Promise<Graph> {
  const { cluster } = manifests;
  const candidates = command.exposure
    ? podCandidates([cluster], pods)
    : { pods: [], namespaces: [], leftOut: 0 };
  const networks = createNetworks(blocksOfPolicies(cluster));
  const connectivity = createConnectivity(cluster, networks, candidates.namespaces);
  const side = { connectivity, pods, beforePod: checkTime };
  const all = comparedEnds(side, side, networks, candidates.pods);
  const focus = focusOf(command, all, namespace);
  const groups = groupEnds(all, new Set(focus));
  const focused = new Set(focus);
  const near = groups.filter(({ ends }) => ends.some((end) => focused.has(end)));
  const turn = async (done: number): Promise<void> => {
    progress.say(`went through ${done} of ${groups.length} kinds of ends`);
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  };
  const isNear = focus !== undefined && command.depth === 1;
  const found = await edgesOf(groups, turn, isNear ? near : groups);
  const hasOpen = command.all || command.focus.length > 0;
  const asked = focus === undefined ? found : edgesNear(near, found, command.depth);
  const edges = asked.filter(({ isDecided }) => isDecided || hasOpen);
  if (edges.length > MAX_EDGES && command.output !== 'json')
    throw new SluiceError(
      'INPUT_TOO_LARGE',
      `there are more than ${MAX_EDGES} kinds of connections: narrow the graph with --focus NAME or --focus 'NAMESPACE/*'`,
    );
  const touched = endsOf(edges);
  return {
    ends: all.filter(
      (end) => touched.has(end) || focused.has(end) || (focus === undefined && end.kind === 'pods'),
    ),
    all,
    edges,
    notes: [
      ...notes,
      ...problems,
      ...(candidates.leftOut > 0 ? [`${candidates.leftOut} more pods that may come are left out`] : []),
    ],
  };
}

function endsOf(edges: readonly Edge[]): ReadonlySet<ComparedEnd> {
  const groups = new Set(edges.flatMap(({ from, to }) => [from, to]));
  return new Set([...groups].flatMap(({ ends }) => ends));
}

/** What is asked about; undefined: all. */
function focusOf(
  { focus, input }: GraphCommand,
  ends: readonly ComparedEnd[],
  namespace: string | undefined,
): readonly ComparedEnd[] | undefined {
  if (focus.length > 0) return focus.flatMap((text) => endsOfFocus(text, ends, namespace));
  if (input.kind !== 'cluster' || input.allNamespaces) return undefined;
  return ends.filter((end) => end.kind === 'pods' && end.namespace === namespace);
}

function printed({ ends, all, edges, notes }: Graph, { output, headers }: GraphCommand): string {
  switch (output) {
    case 'text':
    case 'wide': {
      const pairs = edges.reduce((sum, edge) => sum + edge.pairs, 0);
      const isWide = output === 'wide';
      const lines = connectionLines(connectionsOf(edges, all, isWide), isWide);
      return `${lines}${headers ? graphCounts(pairs, ends, isWide) : ''}`;
    }
    case 'json':
      return `${JSON.stringify(graphJson(ends, edges, notes), null, 2)}\n`;
    case 'mermaid':
    case 'dot':
    case 'svg': {
      const touched = endsOf(edges);
      const alone = ends.filter((end) => !touched.has(end));
      const drawing = drawingOf(connectionsOf(edges, all), alone);
      if (output === 'mermaid') return mermaidText(drawing);
      return output === 'dot' ? dotText(drawing) : svgText(drawing);
    }
    default:
      return unreachable(output);
  }
}
