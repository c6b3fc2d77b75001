/** Policies beyond a bound: as problems, and in the log when they come and go. */
import type { Logger } from 'pino';
import { describeProblem, type ManifestProblem } from '../../sources/index.ts';

/** Keeps which policies are beyond a bound, as last logged. */
export class ExcessLog {
  readonly #log: Logger;
  #logged: ReadonlyMap<string, string> = new Map();

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Logs what has changed.
   * @param excess the bound that each policy is beyond, by key
   * @returns keys of the policies of which something else is to be said
   */
  note(excess: ReadonlyMap<string, string>): string[] {
    const before = this.#logged;
    const changed: string[] = [];
    for (const [key, message] of excess) {
      if (before.get(key) === message) continue;
      changed.push(key);
      if (before.has(key)) continue;
      const problem = excessProblem(key, message);
      this.#log.error({ problem }, `object: ${describeProblem(problem)}`);
    }
    for (const key of before.keys()) {
      if (excess.has(key)) continue;
      changed.push(key);
      this.#log.info(`NetworkPolicy ${key} is within bounds again`);
    }
    if (changed.length > 0) this.#logged = new Map(excess);
    return changed;
  }
}

/** The problem of each policy beyond a bound, or of the one with this key. */
export function excessProblems(
  excess: ReadonlyMap<string, string>,
  key?: string,
): readonly ManifestProblem[] {
  const keys = key === undefined ? [...excess.keys()] : [key];
  return keys.flatMap((each) => {
    const message = excess.get(each);
    return message === undefined ? [] : [excessProblem(each, message)];
  });
}

function excessProblem(key: string, message: string): ManifestProblem {
  return { file: 'cluster', document: 0, object: `NetworkPolicy ${key}`, message, severity: 'error' };
}
