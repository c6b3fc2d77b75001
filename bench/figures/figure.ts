/** A figure: something that is measured on several paths in turn, and the values that one run of it gives. */
import type { Path } from '../rig/path.ts';
import type { Rig } from '../rig/rig.ts';

/** A value of a figure. */
export interface Metric {
  /** Unique over all figures; the key in the results. */
  readonly id: string;
  readonly title: string;
  /** Unit of the numbers in the results. */
  readonly unit: string;
  readonly better: 'more' | 'less';
}

/** Values of one run by metric id; a path may lack some. */
export type Sample = Readonly<Record<string, number>>;

/** How much is measured. */
export interface Scale {
  readonly name: 'full' | 'quick';
  /** Runs of each figure on each path. */
  readonly rounds: number;
  /** Load of one run, in whole seconds: the tools take no fractions. */
  readonly seconds: number;
}

/** A figure. */
export interface Figure {
  /** As `--only` takes it. */
  readonly name: string;
  readonly title: string;
  /** What one run does, for the page. */
  readonly method: string;
  /** System tools that its load and its app need. */
  readonly tools?: readonly string[];
  /** How many times as many runs as others it needs in a full run: it looks for small differences. */
  readonly times?: number;
  /** More runs than this say nothing new: its values hardly differ from run to run, and a run takes long. */
  readonly mostRounds?: number;
  /** Its values do not depend on what others do on the machine meanwhile: no run is made again for that. */
  readonly unhurried?: boolean;
  /** Left out of a quick run, unless it is asked for by name. */
  readonly slow?: boolean;
  readonly metrics: (scale: Scale) => readonly Metric[];
  /** Which paths it is measured on. @param chosen by the user, among the ordinary ones */
  readonly paths: (chosen: readonly Path[]) => readonly Path[];
  /** Paths that only this figure has. */
  readonly ownPaths?: readonly Path[];
  /** Makes ready for the first run, once for each path. */
  readonly prepare?: (rig: Rig, path: Path) => Promise<void>;
  readonly measure: (rig: Rig, path: Path, scale: Scale) => Promise<Sample>;
}

/** Paths with a process in the way. */
export function proxied(paths: readonly Path[]): readonly Path[] {
  return paths.filter((path) => path.start !== undefined);
}

/** Paths of Sluice, which alone ends flows that run and records them. */
export function sluices(paths: readonly Path[]): readonly Path[] {
  return paths.filter((path) => path.policies > 0);
}

/** The same without variants: for figures that take long. */
export function usualSluices(paths: readonly Path[]): readonly Path[] {
  return sluices(paths).filter(({ variant = false }) => !variant);
}
