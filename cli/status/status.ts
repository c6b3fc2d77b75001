/** `sluice status`: how far policies are in force, and who lags. */
import { stringify } from 'yaml';
import { unreachable } from '../../common/errors.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { line, writeLines } from '../lines.ts';
import { reportNotes } from '../problems.ts';
import type { PolicyStateData } from './policy_state.ts';
import { policyWords } from './policy_target.ts';
import { readStates } from './read_states.ts';
import {
  STATUS_FLAGS,
  STATUS_HELP,
  STATUS_HELP_END,
  type StatusCommand,
  statusCommand,
} from './status_options.ts';
import { type StatusAmount, stateLines } from './status_text.ts';

/** Names the form: docs/schema/status.v1.json. */
export const STATUS_SCHEMA = 'sluice.dev/status/v1';

/** Of a list of policies, of one policy, and of each with -o wide. */
const FEW: StatusAmount = { pods: 3, lags: 3 };
const SOME: StatusAmount = { pods: 5, lags: 20 };
const ALL: StatusAmount = { pods: Number.POSITIVE_INFINITY, lags: Number.POSITIVE_INFINITY };

/**
 * Runs the command: reads what follows `sluice status`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, and those of `readStates`
 */
export const runStatus = createCommand({
  name: 'status',
  help: STATUS_HELP,
  flags: STATUS_FLAGS,
  afterFlags: STATUS_HELP_END,
  wanted: policyWords,
  positionals: ['netpol', 'nothing'],
  run: (values, context) => run(statusCommand(values), context),
});

async function run(command: StatusCommand, context: CommandContext): Promise<number> {
  const { policies, notes } = await readStates(command.live, command.target, context);
  reportNotes(notes);
  await printStates(policies, notes, command, context);
  return policies.every(({ state }) => state === 'enforced') ? EXIT.yes : EXIT.no;
}

/** Prints them in the format that was asked for. */
export async function printStates(
  policies: readonly PolicyStateData[],
  notes: readonly string[],
  { output, target }: StatusCommand,
  context: CommandContext,
): Promise<void> {
  const data = { schema: STATUS_SCHEMA, policies, ...(notes.length === 0 ? {} : { notes }) };
  switch (output) {
    case 'json':
      await context.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
      break;
    case 'yaml':
      await context.stdout.write(stringify(data, { aliasDuplicateObjects: false }));
      break;
    case 'text':
    case 'wide': {
      const amount = output === 'wide' ? ALL : target === undefined ? FEW : SOME;
      const lines = policies.flatMap((policy) => stateLines(policy, amount));
      await writeLines(lines.length === 0 ? [line('no policies')] : lines, context);
      break;
    }
    default:
      unreachable(output);
  }
}
