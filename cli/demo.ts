/** `npm run demo`: NetworkPolicy on real connections, in a lab of its own that is gone afterwards. */

import { randomBytes } from 'node:crypto';
import { stackOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { checkPrerequisites, guardLab, takeLabDown } from '../lab/index.ts';
import { BrokenPromise, emphasise, playDemo, say } from './demo/index.ts';
import { complain } from './output.ts';
import { watchOutput } from './output_watch.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A shell's way to say that Ctrl-C ended a command. */
const EXIT_INTERRUPTED = 130;

/** Something did not behave as shown. */
const EXIT_BROKEN_PROMISE = 1;

/** The demo could not be played: no root, a tool is missing. As for `sluice`. */
const EXIT_ERROR = 2;

/**
 * Plays the demo, cleans up in any case; returns the exit code.
 * @param unread ends it early: nobody reads what it shows
 */
async function main(unread: AbortSignal): Promise<number> {
  checkPrerequisites();
  const name = `demo-${process.pid}-${randomBytes(3).toString('hex')}`;
  const callOff = guardLab(name);
  const interrupt = new AbortController();
  const interrupted = new Promise<'interrupted'>((resolve) => {
    interrupt.signal.addEventListener('abort', () => resolve('interrupted'));
  });
  for (const signal of SIGNALS) process.on(signal, () => interrupt.abort());
  unread.addEventListener('abort', () => interrupt.abort());
  try {
    const story = playDemo(name, interrupt.signal);
    story.catch(() => undefined); // Its failure counts only while nobody has interrupted.
    const outcome = await Promise.race([story, interrupted]);
    if (outcome === 'interrupted') say('\ninterrupted');
    return outcome === 'interrupted' ? EXIT_INTERRUPTED : 0;
  } finally {
    await takeLabDown(name);
    callOff();
    say(`\n${emphasise('dim', 'Everything the demo made has been removed.')}`);
  }
}

/** Says what went wrong; returns the exit code. */
function fail(error: unknown): number {
  const known = error instanceof SluiceError || error instanceof BrokenPromise;
  const message = known ? error.message : stackOf(error);
  const promise = error instanceof BrokenPromise ? 'not as promised: ' : '';
  complain(`sluice demo: ${promise}${message}`);
  return error instanceof BrokenPromise ? EXIT_BROKEN_PROMISE : EXIT_ERROR;
}

const output = watchOutput('sluice demo');
const code = await main(output.failed).catch(fail);
process.exitCode = (await output.exitCode()) ?? code;
