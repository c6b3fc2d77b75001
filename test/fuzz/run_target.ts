/** Runs one fuzzer until its time is over or something does not hold. */
import { setImmediate } from 'node:timers/promises';
import { Random, SEEDS } from './random.ts';
import { Counts, Finding, type FuzzTarget } from './target.ts';

/** Cases run without a pause for this long, ms: timers, sockets and a test runner's own messages get their turn. */
const TURN_MS = 50;

/** Between two reports of progress, ms. */
const PROGRESS_MS = 10_000;

/** How long, and from which seed on. */
export interface FuzzOptions {
  /** Of the first case; case n has `seed` + n. */
  readonly seed: number;
  readonly seconds: number;
  /** Ends earlier, after so many cases or inputs. Default: neither does. */
  readonly maxCases?: number;
  readonly maxInputs?: number;
  readonly progress?: (report: FuzzReport) => void;
}

/** What a run came to. */
export interface FuzzReport {
  readonly target: string;
  readonly cases: number;
  readonly counts: Counts;
  readonly seconds: number;
  readonly finding?: FuzzFinding;
}

/** The first thing that did not hold. */
export interface FuzzFinding {
  /** Of the case alone: a run of one case from this seed on shows it again. */
  readonly seed: number;
  readonly message: string;
  readonly input: unknown;
}

/** Runs until the first finding or the end of the time. A crash outside of a case's own call counts as that case's. */
export async function runTarget(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const { maxCases = Number.POSITIVE_INFINITY, maxInputs = Number.POSITIVE_INFINITY } = options;
  const counts = new Counts();
  const startMs = performance.now();
  const endMs = startMs + options.seconds * 1000;
  let finding: FuzzFinding | undefined;
  let cases = 0;
  let seed = options.seed;
  const found = (error: unknown): void => {
    finding ??= {
      seed,
      message: messageOf(error),
      input: error instanceof Finding ? error.input : undefined,
    };
  };
  const report = (): FuzzReport => ({
    target: target.name,
    cases,
    counts,
    seconds: (performance.now() - startMs) / 1000,
    ...(finding === undefined ? {} : { finding }),
  });
  process.on('uncaughtException', found);
  const open = await target.open();
  try {
    let turnMs = startMs;
    let reportMs = startMs;
    while (finding === undefined && cases < maxCases && counts.inputs < maxInputs) {
      const nowMs = performance.now();
      if (nowMs >= endMs) break;
      if (nowMs - turnMs >= TURN_MS) {
        await setImmediate();
        turnMs = performance.now();
      }
      if (nowMs - reportMs >= PROGRESS_MS) {
        options.progress?.(report());
        reportMs = nowMs;
      }
      seed = (options.seed + cases) % SEEDS;
      cases += 1;
      try {
        const pending = open.tryCase(new Random(seed), counts);
        if (pending !== undefined) await pending;
      } catch (error) {
        found(error);
      }
    }
    await setImmediate(); // what the last case left for later
  } finally {
    await open.close?.();
    process.off('uncaughtException', found);
  }
  return report();
}

function messageOf(error: unknown): string {
  if (error instanceof Finding) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
