/** `npm run demo`: NetworkPolicy on real connections, in a lab of its own that is gone afterwards. */

import { randomBytes } from 'node:crypto';
import { stackOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { checkPrerequisites, guardLab, takeLabDown } from '../lab/index.ts';
import { type CommandContext, createCommand } from './command.ts';
import { BrokenPromise, createPage, playDemo } from './demo/index.ts';
import { complain } from './output.ts';
import { watchOutput } from './output_watch.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A shell's way to say that Ctrl-C ended a command. */
const EXIT_INTERRUPTED = 130;

/** Something did not behave as shown. */
const EXIT_BROKEN_PROMISE = 1;

/** The demo could not be played: no root, a tool is missing. As for `sluice`. */
const EXIT_ERROR = 2;

/** As for `sluice`. */
const EXIT_TIMED_OUT = 124;

/** How one comes to the help: there is no `sluice demo`. */
const ASK_FOR_HELP = 'npm run demo -- --help';

const HELP = `usage: npm run demo [-- flags]

Shows NetworkPolicy on real connections: makes a lab of the bookstore example on this machine, shows who may connect to whom,
changes a policy while a transfer runs, and removes all of it. Needs root.
`;

const HELP_END = `Exit code: 0 all was as shown, 1 something was not, 2 error, 124 the time of --timeout is over, 130 interrupted.
`;

/**
 * Plays the demo, cleans up in any case; returns the exit code.
 * @param ends end it early: nobody reads what it shows, or its time is over
 */
async function play({ style }: CommandContext, ends: readonly AbortSignal[]): Promise<number> {
  checkPrerequisites();
  const page = createPage(style);
  const name = `demo-${process.pid}-${randomBytes(3).toString('hex')}`;
  const callOff = guardLab(name);
  const interrupt = new AbortController();
  const interrupted = new Promise<'interrupted'>((resolve) => {
    interrupt.signal.addEventListener('abort', () => resolve('interrupted'));
  });
  for (const signal of SIGNALS) process.on(signal, () => interrupt.abort());
  for (const end of ends) end.addEventListener('abort', () => interrupt.abort());
  try {
    const story = playDemo(name, page, interrupt.signal);
    story.catch(() => undefined); // Its failure counts only while nobody has interrupted.
    const outcome = await Promise.race([story, interrupted]);
    if (outcome === 'interrupted') page.say('\ninterrupted');
    return outcome === 'interrupted' ? EXIT_INTERRUPTED : 0;
  } finally {
    await takeLabDown(name);
    callOff();
    page.say(`\n${style('dim', 'Everything the demo made has been removed.')}`);
  }
}

/** Says what went wrong; returns the exit code. */
function fail(error: unknown): number {
  const known = error instanceof SluiceError || error instanceof BrokenPromise;
  const message = known ? error.message : stackOf(error);
  const promise = error instanceof BrokenPromise ? 'not as promised: ' : '';
  complain(`sluice demo: ${promise}${message.replace('sluice demo --help', ASK_FOR_HELP)}`);
  if (error instanceof SluiceError && error.code === 'TIMED_OUT') return EXIT_TIMED_OUT;
  return error instanceof BrokenPromise ? EXIT_BROKEN_PROMISE : EXIT_ERROR;
}

const output = watchOutput('sluice demo');
const runDemo = createCommand({
  name: 'demo',
  help: HELP,
  flags: {},
  afterFlags: HELP_END,
  cleansUp: true,
  wanted: () => 0,
  run: async ({ positionals: [surplus] }, context) => {
    if (surplus !== undefined)
      throw new SluiceError('USAGE', `'${surplus}' is not expected (see sluice demo --help)`);
    return await play(context, [output.failed, context.signal]);
  },
});
const code = await runDemo(process.argv.slice(2)).catch(fail);
process.exitCode = (await output.exitCode()) ?? code;
