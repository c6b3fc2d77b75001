/** Policies and Services beyond a bound: as problems, and in the log when they come and go. */
import type { Logger } from 'pino';
import { describeProblem, type ManifestProblem } from '../../sources/index.ts';

/** What is beyond a bound. */
type Kind = 'NetworkPolicy' | 'Service';

/** Keeps which objects of a kind are beyond a bound, as last logged. */
export class ExcessLog {
  readonly #log: Logger;
  readonly #kind: Kind;
  #logged: ReadonlyMap<string, string> = new Map();

  constructor(log: Logger, kind: Kind) {
    this.#log = log;
    this.#kind = kind;
  }

  /**
   * Logs what has changed.
   * @param excess the bound that each object is beyond, by key
   * @returns keys of the objects of which something else is to be said
   */
  note(excess: ReadonlyMap<string, string>): string[] {
    const before = this.#logged;
    const changed: string[] = [];
    for (const [key, message] of excess) {
      if (before.get(key) === message) continue;
      changed.push(key);
      if (before.has(key)) continue;
      const problem = excessProblem(this.#kind, key, message);
      this.#log.error({ problem }, `object: ${describeProblem(problem)}`);
    }
    for (const key of before.keys()) {
      if (excess.has(key)) continue;
      changed.push(key);
      this.#log.info(`${this.#kind} ${key} is within bounds again`);
    }
    if (changed.length > 0) this.#logged = new Map(excess);
    return changed;
  }
}

/** The problem of each object beyond a bound, or of the one with this key. */
export function excessProblems(
  kind: Kind,
  excess: ReadonlyMap<string, string>,
  key?: string,
): readonly ManifestProblem[] {
  const keys = key === undefined ? [...excess.keys()] : [key];
  return keys.flatMap((each) => {
    const message = excess.get(each);
    return message === undefined ? [] : [excessProblem(kind, each, message)];
  });
}

function excessProblem(kind: Kind, key: string, message: string): ManifestProblem {
  return { file: 'cluster', document: 0, object: `${kind} ${key}`, message, severity: 'error' };
}
