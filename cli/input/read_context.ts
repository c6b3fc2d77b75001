/** What goes along while input is read. */
import type { Progress } from '../terminal/index.ts';

/** What reading goes on with. */
export interface ReadContext {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** What `-` stands for, where a command has looked at it before; default: the process's standard input. */
  readonly standardInput?: AsyncIterable<Buffer>;
  /** Throws once the time is over: see `CommandContext`. Absent: there is no such time. */
  readonly checkTime?: () => void;
}
