/** An interactive shell on a terminal of its own, into which a line is typed, as people do. */
import { spawn } from 'node:child_process';

/** How long a shell, and the command that it asks, may take, ms. */
const PATIENCE_MS = 60_000;

/** What is typed, and where. */
export interface Typing {
  /** Command line of the shell. */
  readonly shell: string;
  /** A line before. */
  readonly setup: string;
  /** What stands on the line when Tab is pressed. */
  readonly text: string;
  /** What the terminal is to show then. */
  readonly shows: RegExp;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Presses Tab once. @returns what the terminal shows from then on, up to `shows`
 * @throws Error with what it shows instead
 */
export async function pressTab({ shell, setup, text, shows, env }: Typing): Promise<string> {
  const child = spawn('script', ['-qec', shell, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  let seen = '';
  child.stdout.setEncoding('utf8');
  const until = (wanted: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${wanted} not seen in ${JSON.stringify(seen)}`)),
        PATIENCE_MS,
      );
      const look = (): void => {
        if (!wanted.test(seen)) return;
        clearTimeout(timer);
        child.stdout.off('data', look);
        resolve(seen);
      };
      child.stdout.on('data', look);
      look();
    });
  child.stdout.on('data', (chunk: string) => {
    seen += chunk;
  });
  try {
    // The typed line has quotes in the word, so only its output is the word.
    child.stdin.write(`${setup}\necho rea''dy\n`);
    await until(/ready/);
    seen = '';
    child.stdin.write(`${text}\t`);
    return await until(shows);
  } finally {
    child.kill('SIGHUP');
  }
}
