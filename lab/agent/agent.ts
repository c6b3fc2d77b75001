/** A client agent as its user sees it: a process in a namespace of a lab that takes requests. */

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Lab } from '../lab.ts';
import type { AgentAnswers, AgentRequest } from './protocol.ts';

/** Answers a test waits for. */
interface Pending {
  readonly resolve: (result: AgentAnswers[AgentRequest['do']]) => void;
  readonly reject: (error: Error) => void;
}

/** Runs in a pod, on a node or outside; ends with `close`, with the lab, or with the test's process. */
export class Agent {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #next = 0;

  constructor(lab: Lab, target: string) {
    const script = join(import.meta.dirname, 'client_agent.ts');
    const child = lab.spawnIn(target, [process.execPath, script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    child.stdin?.on('error', () => undefined); // The exit below tells.
    child.once('exit', (code, signal) => this.#fail(`the agent in ${target} ended: ${signal ?? code}`));
    child.once('error', (error) => this.#fail(`the agent in ${target} did not start: ${error.message}`));
    if (child.stdout === null) throw new Error('the agent has no stdout');
    createInterface({ input: child.stdout }).on('line', (line) => this.#answer(line));
  }

  /** Sends a request; rejects when the agent cannot do it or ends. */
  ask<R extends AgentRequest>(request: R): Promise<AgentAnswers[R['do']]> {
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, request })}\n`);
    });
  }

  /** Ends the agent and, with it, its flows. */
  close(): void {
    this.#child.stdin?.end();
  }

  #answer(line: string): void {
    const { id, result, error } = JSON.parse(line) as {
      id: number;
      result: AgentAnswers[AgentRequest['do']];
      error?: string;
    };
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(result);
    else pending?.reject(new Error(error));
  }

  #fail(message: string): void {
    for (const pending of this.#pending.values()) pending.reject(new Error(message));
    this.#pending.clear();
  }
}
