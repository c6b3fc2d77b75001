/** Measures figures on paths, in turn. */
import { messageOf } from '../common/errno.ts';
import type { Figure, Sample, Scale } from './figures/figure.ts';
import { SecondTries } from './quiet/second_tries.ts';
import { QUIET_SHARE, type Watched, watched } from './quiet/watch.ts';
import type { Measured } from './report/results.ts';
import type { Path } from './rig/path.ts';
import type { Rig } from './rig/rig.ts';
import { summarize } from './statistics.ts';

/** A figure is given up when a run fails so often in a row. */
const ATTEMPTS = 3;

/** Runs of a path that is a variant: no target is about it, and the time is wanted for those that one is about. */
const VARIANT_ROUNDS = 3;

/** What to measure. */
export interface Suite {
  readonly figures: readonly Figure[];
  /** The ordinary paths. */
  readonly paths: readonly Path[];
  readonly scale: Scale;
  readonly progress: (line: string) => void;
}

/** All paths that a suite needs: the ordinary ones, and those that only one of its figures has. */
export function pathsOf({ figures, paths }: Pick<Suite, 'figures' | 'paths'>): readonly Path[] {
  return [...paths, ...figures.flatMap((figure) => figure.ownPaths ?? [])];
}

/** Figures that were measured, and why others could not be. */
export interface Outcome {
  readonly figures: readonly Measured[];
  /** By name of the figure. */
  readonly failed: Readonly<Record<string, string>>;
}

/** Measures all figures. One of which a run fails again and again is left out: the others are still worth something. */
export async function measureAll(rig: Rig, suite: Suite): Promise<Outcome> {
  const figures: Measured[] = [];
  const failed: Record<string, string> = {};
  for (const figure of suite.figures) {
    try {
      figures.push(await measure(rig, figure, suite));
    } catch (error) {
      rig.signal.throwIfAborted();
      failed[figure.name] = messageOf(error);
      suite.progress(`error: ${figure.name} is left out: ${failed[figure.name]}`);
    }
  }
  return { figures, failed };
}

/**
 * A, B, A, B, … and each round starts with another path, so that what drifts, or what one run leaves behind for the
 * next, does not always meet the same one.
 */
async function measure(
  rig: Rig,
  figure: Figure,
  { paths: chosen, scale, progress }: Suite,
): Promise<Measured> {
  const startedAt = performance.now();
  const paths = figure.paths(chosen);
  for (const path of paths) await figure.prepare?.(rig, path);
  const runs = new Map<string, Map<string, number[]>>();
  const failures: string[] = [];
  const rounds = roundsOf(figure, scale);
  const tries = new SecondTries(figure.unhurried ? 0 : rounds * paths.length);
  for (let round = 0; round < rounds; round += 1) {
    const inTurn = paths.filter(({ variant = false }) => !variant || round < VARIANT_ROUNDS);
    for (const path of rotated(inTurn, round)) {
      const name = `${figure.name} ${round + 1}/${rounds} ${path.name}`;
      const run = async (): Promise<Watched<Sample>> =>
        await tryRuns(
          rig,
          path,
          async () => await figure.measure(rig, path, scale),
          (reason) => {
            progress(`${name} failed and is made again: ${reason}`);
            failures.push(`${path.name}: ${reason}`);
          },
        );
      const { value: sample, others } = await tries.quietest(run, (share) =>
        progress(`warning: ${name} is made again: others used ${percent(share)} of the processors`),
      );
      const isDisturbed = !figure.unhurried && others > QUIET_SHARE;
      const disturbance = isDisturbed ? `; warning: others used ${percent(others)}` : '';
      progress(`${name}: ${described(sample)}${disturbance}`);
      for (const [id, value] of Object.entries(sample)) listOf(runs, id, path.name).push(value);
    }
  }
  return {
    name: figure.name,
    title: figure.title,
    method: figure.method,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    rounds,
    failures,
    ...(figure.unhurried ? {} : { quiet: tries.outcome }),
    metrics: figure.metrics(scale).map((metric) => ({
      ...metric,
      paths: Object.fromEntries(
        paths.flatMap(({ name }) => {
          const values = runs.get(metric.id)?.get(name);
          return values === undefined ? [] : [[name, summarize(values)]];
        }),
      ),
    })),
  };
}

/** Tries a run again when it fails, so that one failure does not lose all others. @throws what the last attempt threw */
async function tryRuns(
  rig: Rig,
  path: Path,
  run: () => Promise<Sample>,
  onFailure: (reason: string) => void,
): Promise<Watched<Sample>> {
  for (let attempt = 1; ; attempt += 1) {
    rig.signal.throwIfAborted();
    await rig.measureOnly(path);
    try {
      return await watched(run);
    } catch (error) {
      if (attempt === ATTEMPTS || rig.signal.aborted) throw error;
      onFailure(messageOf(error));
    }
  }
}

function roundsOf(figure: Figure, scale: Scale): number {
  const times = scale.name === 'full' ? (figure.times ?? 1) : 1;
  return Math.min(scale.rounds * times, figure.mostRounds ?? Number.POSITIVE_INFINITY);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function listOf(runs: Map<string, Map<string, number[]>>, id: string, path: string): number[] {
  const byPath = runs.get(id) ?? new Map<string, number[]>();
  runs.set(id, byPath);
  const list = byPath.get(path) ?? [];
  byPath.set(path, list);
  return list;
}

function described(sample: Readonly<Record<string, number>>): string {
  return Object.entries(sample)
    .map(([id, value]) => `${id} ${value.toPrecision(3)}`)
    .join(', ');
}
