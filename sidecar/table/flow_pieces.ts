/** Windows of counted flows as lines for the injector: short ones, since a frame cannot leave while a line is under way. */
import type { FlowWindow } from '../../flows/index.ts';
import { flowsLine } from '../../policy/index.ts';

/** Length from which on a line takes in nothing more, characters: one record of TLS, some 70 counts. */
const PIECE_LENGTH = 16 * 1024;

/** A line, with its newline. */
export interface FlowPiece {
  readonly line: string;
  /** Flows that it tells of, lost ones included: they are lost with the line. */
  readonly sum: number;
  /** Single events that it tells of, lost ones included. */
  readonly events: number;
}

/** A window as lines that each are a window of the same span. What was lost stands in the first. */
export function* flowPieces(window: FlowWindow): Generator<FlowPiece, void> {
  const { from, to, counts, events } = window;
  let [lost, eventsLost] = [window.lost, window.eventsLost];
  let [count, event] = [0, 0];
  do {
    const [countTexts, eventTexts]: [string[], string[]] = [[], []];
    let [length, sum] = [0, lost];
    for (let next = counts[count]; next !== undefined && length < PIECE_LENGTH; next = counts[count]) {
      length += countTexts[countTexts.push(JSON.stringify(next)) - 1]?.length ?? 0;
      sum += next.flows;
      count += 1;
    }
    for (let next = events[event]; next !== undefined && length < PIECE_LENGTH; next = events[event]) {
      length += eventTexts[eventTexts.push(JSON.stringify(next)) - 1]?.length ?? 0;
      event += 1;
    }
    const head = `{"from":${from},"to":${to},"lost":${lost},"eventsLost":${eventsLost}`;
    const text = `${head},"counts":[${countTexts.join()}],"events":[${eventTexts.join()}]}`;
    yield { line: `${flowsLine(sum, text)}\n`, sum, events: eventsLost + eventTexts.length };
    [lost, eventsLost] = [0, 0];
  } while (count < counts.length || event < events.length);
}
