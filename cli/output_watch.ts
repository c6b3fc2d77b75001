/**
 * What becomes of standard output. A command goes on when nobody takes its output any more: `lab up | head` must not
 * leave half a lab. Only its exit code shows it.
 */

/** What a shell reports of a program that SIGPIPE ended: 128 + 13. Node ignores that signal. */
const EXIT_READER_GONE = 141;

/** The same as for all errors. */
const EXIT_ERROR = 2;

/** A watch on the process' standard output. */
export interface OutputWatch {
  /**
   * Waits until what was written is handed over.
   * @returns the exit code where that failed, which is no other code's to say: an answer that was not printed is
   * neither allowed nor denied. Undefined where all is well.
   */
  exitCode(): Promise<number | undefined>;
  /** Aborted when output fails. */
  readonly failed: AbortSignal;
}

/**
 * Watches standard output from now on. A reader that has enough, such as `head`, is no error and ends quietly; any other
 * failure is one line on stderr, which begins with `name`. Failures of stderr itself cannot be reported.
 */
export function watchOutput(name: string): OutputWatch {
  const failed = new AbortController();
  let failure: NodeJS.ErrnoException | undefined;
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (failure !== undefined) return;
    failure = error;
    failed.abort();
    if (error.code !== 'EPIPE')
      process.stderr.write(`${name}: standard output cannot be written: ${error.message}\n`);
  });
  return {
    failed: failed.signal,
    async exitCode() {
      // Its error comes before its callback, and those of earlier writes before it.
      if (failure === undefined)
        await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
      if (failure === undefined) return undefined;
      return failure.code === 'EPIPE' ? EXIT_READER_GONE : EXIT_ERROR;
    },
  };
}
