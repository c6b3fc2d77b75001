/** `sluice wait`: until a policy is in force. */
import { setTimeout as delay } from 'node:timers/promises';
import { firstLineOf } from '../../common/errno.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { reportNotes } from '../problems.ts';
import { createLook } from './look.ts';
import type { PolicyStateData } from './policy_state.ts';
import { type PolicyTarget, policyWords } from './policy_target.ts';
import { readStates } from './read_states.ts';
import { printStates } from './status.ts';
import { type StatusCommand, WAIT_FLAGS, WAIT_HELP, WAIT_HELP_END, waitCommand } from './status_options.ts';

/** Without `--timeout` it is given up after this long, ms: as kubectl wait. */
const PATIENCE_MS = 30_000;

/** How long it may take to find out who lags, when the time is over, ms. */
const LAG_MS = 5_000;

/** Between two looks, ms: at files of this machine, and at an API server. */
const LOOK_MS = { lab: 250, cluster: 1_000 } as const;

/**
 * Runs the command: reads what follows `sluice wait`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, and those of `readStates`
 */
export const runWait = createCommand({
  name: 'wait',
  help: WAIT_HELP,
  flags: WAIT_FLAGS,
  afterFlags: WAIT_HELP_END,
  wanted: policyWords,
  positionals: ['netpol', 'nothing'],
  cleansUp: true,
  run: (values, context) => run(waitCommand(values), values.has('timeout'), context),
});

async function run(
  command: StatusCommand & { readonly target: PolicyTarget },
  hasLimit: boolean,
  context: CommandContext,
): Promise<number> {
  const { live, target } = command;
  const endMs = performance.now() + PATIENCE_MS;
  const look = await createLook(live, target, context);
  let last: PolicyStateData | undefined;
  try {
    for (;;) {
      last = await look.once();
      if (isSettled(last)) break;
      context.progress.say(`${last.name}: ${last.enforcing} of ${last.selected} pods enforce it`);
      await delay(LOOK_MS[live.kind], undefined, { signal: context.signal }).catch(() => undefined);
      if (context.signal.aborted || (!hasLimit && performance.now() >= endMs)) break;
    }
  } catch (error) {
    if (!context.signal.aborted || last === undefined) throw error;
  } finally {
    look.close();
  }
  context.progress.end();
  const policies = last.state === 'enforced' ? [last] : await withLag(command, last, context);
  await printStates(policies, [], command, context);
  return policies.every(({ state }) => state === 'enforced') ? EXIT.yes : EXIT.no;
}

/** Waiting changes neither what is not supported, nor that pods are not injected. */
function isSettled({ state }: PolicyStateData): boolean {
  return state === 'enforced' || state === 'partial' || state === 'unenforced';
}

/** Who lags takes more rights, and time of its own: what is known is said without, too. */
async function withLag(
  { live, target }: StatusCommand,
  last: PolicyStateData,
  context: CommandContext,
): Promise<readonly PolicyStateData[]> {
  try {
    const signal = AbortSignal.timeout(LAG_MS);
    const { policies, notes } = await readStates(live, target, {
      ...context,
      signal,
      checkTime: () => undefined,
    });
    reportNotes(notes);
    return policies;
  } catch (error) {
    reportNotes([`who lags is not known: ${firstLineOf(error)}`]);
    return [last];
  }
}
