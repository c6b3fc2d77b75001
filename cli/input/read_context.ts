/** What goes along while input is read. */
import type { Progress } from '../terminal/index.ts';

/** What reading goes on with. */
export interface ReadContext {
  readonly progress: Progress;
  readonly signal: AbortSignal;
}
