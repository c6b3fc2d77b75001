/** `sluice describe`: what governs a pod, a workload or a namespace, and whom a policy is about. */
import { stringify } from 'yaml';
import { unreachable } from '../../common/errors.ts';
import { createModel, dnsOf, type Model, type Subject } from '../../lint/index.ts';
import { DEFAULT_NAMESPACE, objectKey } from '../../policy/index.ts';
import { createWorkloads } from '../../sources/index.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { extentOf } from '../extent.ts';
import { type InForce, inForceIn } from '../in_force/index.ts';
import { type Input, readInput } from '../input/index.ts';
import { writeLines } from '../lines.ts';
import { reportNotes, reportUnread } from '../problems.ts';
import type { DescribeContext } from './describe_context.ts';
import {
  DESCRIBE_FLAGS,
  DESCRIBE_HELP,
  DESCRIBE_HELP_END,
  type DescribeCommand,
  describeCommand,
} from './describe_options.ts';
import { DESCRIBE_SCHEMA, type Description } from './description.ts';
import { type Found, findTarget } from './find_target.ts';
import { describeNamespace } from './of_namespace.ts';
import { describePods } from './of_pods.ts';
import { describePolicy } from './of_policy.ts';
import { parseTarget, wantedWords } from './target.ts';
import { descriptionLines } from './text/index.ts';

/**
 * Runs the command: reads what follows `sluice describe`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, `NAME_UNKNOWN`, `OBJECT_INVALID`, and those of `readInput`
 */
export const runDescribe = createCommand({
  name: 'describe',
  help: DESCRIBE_HELP,
  flags: DESCRIBE_FLAGS,
  afterFlags: DESCRIBE_HELP_END,
  wanted: wantedWords,
  positionals: ['pod', 'nothing'],
  run: (values, context) => run(describeCommand(values), context),
});

async function run(
  { input: chosen, words, output, ignoreErrors }: DescribeCommand,
  context: CommandContext,
): Promise<number> {
  // A wrong word is said before anything is read.
  parseTarget(words, DEFAULT_NAMESPACE);
  const input = await readInput(
    chosen,
    // Peers may be pods of any namespace.
    (namespace) => ({
      namespaces: 'all',
      fallback: [parseTarget(words, namespace).namespace],
      services: 'optional',
    }),
    context,
  );
  const inForce = await inForceIn(input);
  context.progress.end();
  const isWhole = reportUnread(input.manifests.problems, ignoreErrors) || input.origin.kind !== 'files';
  reportNotes(input.notes);
  const description = describe(words, input, inForce, context);
  const notes = input.notes.length === 0 ? {} : { notes: input.notes };
  switch (output) {
    case 'json':
      await context.stdout.write(
        `${JSON.stringify({ schema: DESCRIBE_SCHEMA, ...description, ...notes }, null, 2)}\n`,
      );
      break;
    case 'yaml':
      await context.stdout.write(stringify({ schema: DESCRIBE_SCHEMA, ...description, ...notes }));
      break;
    case 'text':
    case 'wide':
      await writeLines(descriptionLines(description, { wide: output === 'wide' }), context);
      break;
    default:
      return unreachable(output);
  }
  // What was not read may change what is said.
  if (!isWhole) return EXIT.error;
  const { in_force: found } = description;
  return found.known && found.not_in_force.count > 0 ? EXIT.no : EXIT.yes;
}

function describe(
  words: readonly string[],
  input: Input,
  inForce: InForce,
  { checkTime }: CommandContext,
): Description {
  const { manifests, places, namespace } = input;
  const model = createModel({
    manifests,
    places,
    extent: extentOf(input),
    now: Date.now(),
    namespaceGiven: namespace !== undefined,
    beforeAnswer: checkTime,
  });
  const target = parseTarget(words, namespace ?? DEFAULT_NAMESPACE);
  const workloads = createWorkloads(manifests.cluster, manifests.others);
  const found = findTarget(target, model, workloads, input);
  return describeFound(found, { model, dns: dnsOf(model), inForce, subjects: subjectsByPod(model) });
}

function describeFound(found: Found, context: DescribeContext): Description {
  switch (found.kind) {
    case 'pod':
    case 'workload':
      return describePods(found, context);
    case 'namespace':
      return describeNamespace(found.name, context);
    case 'netpol':
      return describePolicy(found.policy, context);
    default:
      return unreachable(found);
  }
}

/** Of a template the pod that would be made of it. */
function subjectsByPod({ subjects }: Model): ReadonlyMap<string, Subject> {
  return new Map(
    subjects.flatMap((subject) =>
      (subject.pods.length === 0 ? [subject.pod] : subject.pods).map(
        (pod) => [objectKey(pod.namespace, pod.name), subject] as const,
      ),
    ),
  );
}
