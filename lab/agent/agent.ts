/** A client agent as its user sees it: a process in a namespace of a lab that takes requests. */

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SluiceError } from '../../common/errors.ts';
import type { TypeOf } from '../../common/shape.ts';
import type { Lab } from '../lab.ts';
import { AGENT_ANSWERS, type AgentAnswers, type AgentRequest, answerLine } from './protocol.ts';

/** Answers a test waits for. */
interface Pending {
  /** @throws SluiceError `LAB_ANSWER_INVALID` */
  readonly resolve: (result: unknown) => void;
  readonly reject: (fault: unknown) => void;
}

/** Runs in a pod, on a node or outside; ends with `close`, with the lab, or with the test's process. */
export class Agent {
  readonly #child: ChildProcess;
  readonly #target: string;
  readonly #pending = new Map<number, Pending>();
  #next = 0;

  constructor(lab: Lab, target: string) {
    const script = join(import.meta.dirname, 'client_agent.ts');
    const child = lab.spawnIn(target, [process.execPath, script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    this.#target = target;
    child.stdin?.on('error', () => undefined); // The handler of `exit` below reports it.
    child.once('exit', (code, signal) =>
      this.#fail(new Error(`the agent in ${target} ended: ${signal ?? code}`)),
    );
    child.once('error', (error) =>
      this.#fail(new Error(`the agent in ${target} did not start: ${error.message}`)),
    );
    if (child.stdout === null) throw new Error('the agent has no stdout');
    createInterface({ input: child.stdout }).on('line', (line) => this.#answer(line));
  }

  /** Its process, in the namespace of its target; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends a request; rejects when the agent cannot do it or ends. */
  ask<K extends AgentRequest['do']>(request: AgentRequest & { readonly do: K }): Promise<AgentAnswers[K]> {
    const { do: asked }: { readonly do: K } = request;
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      const form = AGENT_ANSWERS[asked];
      const name = `the answer of the agent in ${this.#target} to ${asked}`;
      this.#pending.set(id, { resolve: (result) => resolve(form.read(result, name, unknownAnswer)), reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, request })}\n`);
    });
  }

  /** Ends the agent and, with it, its flows. */
  close(): void {
    this.#child.stdin?.end();
  }

  #answer(line: string): void {
    let answer: TypeOf<typeof answerLine>;
    try {
      answer = answerLine.readJson(line, `a line of the agent in ${this.#target}`, unknownAnswer);
    } catch (fault) {
      this.#child.kill(); // Which request it answers is not known.
      return this.#fail(fault);
    }
    const { id, result, error } = answer;
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error !== undefined) return pending?.reject(new Error(error));
    try {
      pending?.resolve(result);
    } catch (fault) {
      pending?.reject(fault);
    }
  }

  #fail(fault: unknown): void {
    for (const pending of this.#pending.values()) pending.reject(fault);
    this.#pending.clear();
  }
}

function unknownAnswer(problem: string, cause?: unknown): SluiceError {
  const advice = 'the agent and its user have to be of the same version of Sluice';
  return new SluiceError('LAB_ANSWER_INVALID', `${problem}; ${advice}`, { cause });
}
