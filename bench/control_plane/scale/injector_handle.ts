/** The parent's end of the process of `scale_injector.ts`. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, forgetPeak, peakBytes, residentBytes } from '../../process_usage.ts';
import type { MadeChange } from '../crowd/delays.ts';
import type { Way } from '../way.ts';
import type { Roll, ScaleOrder, ScaleReport } from './scale_injector.ts';
import type { PolicyManifest, Shape } from './shapes.ts';

const PROGRAM = fileURLToPath(new URL('scale_injector.ts', import.meta.url));

interface Waiting {
  readonly type: ScaleReport['type'];
  resolve(report: ScaleReport): void;
  reject(error: Error): void;
}

/** One injector, from its start until `kill`. Ends by itself when this process is gone. */
export class InjectorHandle {
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #waiting: Waiting[] = [];
  #changes: MadeChange[] = [];
  #isKilled = false;

  /**
   * Starts it; resolves when it listens.
   * @param died called when it ends and `kill` was not called
   * @throws Error when it ends instead
   */
  static async start(way: Way, shape: Shape, died: (error: Error) => void): Promise<InjectorHandle> {
    const child = fork(PROGRAM, [JSON.stringify(way), JSON.stringify(shape)]);
    const injector = new InjectorHandle(child, died);
    await injector.#next('ready');
    return injector;
  }

  private constructor(child: ChildProcess, died: (error: Error) => void) {
    if (child.pid === undefined) throw new Error('the injector could not be started');
    this.#child = child;
    this.#pid = child.pid;
    child.on('message', (report: ScaleReport) => this.#heard(report));
    child.on('exit', (code, signal) => {
      const error = new Error(`the injector ended: ${signal ?? `exit code ${code}`}`);
      for (const { reject } of this.#waiting.splice(0)) reject(error);
      if (!this.#isKilled) died(error);
    });
  }

  /** Applies a policy. @returns when, ms since the epoch */
  async apply(manifest: PolicyManifest): Promise<number> {
    const report = await this.#ask({ type: 'policy', manifest }, 'applied');
    return report.atMs;
  }

  /** Pods are replaced until `rest`. */
  roll(roll: Roll): void {
    this.#send({ type: 'roll', roll });
  }

  /** Ends the roll. @returns the changes since the last call, in order */
  async rest(): Promise<readonly MadeChange[]> {
    await this.#ask({ type: 'rest' }, 'rested');
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Processor time of the longest turn of its event loop since the last call, ms. */
  async longestTurnMs(): Promise<number> {
    const report = await this.#ask({ type: 'longest-turn' }, 'longest-turn');
    return report.ms;
  }

  /** Processor time since its start, seconds. */
  get cpuSeconds(): number {
    return cpuSeconds(this.#pid);
  }

  get residentBytes(): number {
    return residentBytes(this.#pid);
  }

  /** Since its start, or since `forgetPeak`. */
  get peakBytes(): number {
    return peakBytes(this.#pid);
  }

  forgetPeak(): void {
    forgetPeak(this.#pid);
  }

  async kill(): Promise<void> {
    this.#isKilled = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #heard(report: ScaleReport): void {
    if (report.type === 'changed') this.#changes.push(report.change);
    const index = this.#waiting.findIndex(({ type }) => type === report.type);
    if (index !== -1) this.#waiting.splice(index, 1)[0]?.resolve(report);
  }

  #send(order: ScaleOrder): void {
    if (this.#child.connected) this.#child.send(order);
  }

  #ask<Type extends ScaleReport['type']>(
    order: ScaleOrder,
    type: Type,
  ): Promise<Extract<ScaleReport, { readonly type: Type }>> {
    const answer = this.#next(type);
    this.#send(order);
    return answer;
  }

  #next<Type extends ScaleReport['type']>(
    type: Type,
  ): Promise<Extract<ScaleReport, { readonly type: Type }>> {
    return new Promise((resolve, reject) => {
      const isOfType = (report: ScaleReport): report is Extract<ScaleReport, { readonly type: Type }> =>
        report.type === type;
      this.#waiting.push({
        type,
        resolve: (report) => {
          if (isOfType(report)) resolve(report);
        },
        reject,
      });
    });
  }
}
