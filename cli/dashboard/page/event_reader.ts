/** Reads server-sent events. `EventSource` cannot send a header, and the session is in one. */

/** One event. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** The longest text without an end of an event: the server sends none of that length. */
const MAX_WAITING = 4_000_000;

/** Takes pieces of text as they come. @throws Error for an event without end, and what `onEvent` throws */
export function createEventReader(onEvent: (event: ServerEvent) => void): (piece: string) => void {
  let waiting = '';
  return (piece) => {
    const blocks = `${waiting}${piece}`.split('\n\n');
    waiting = blocks.pop() ?? '';
    if (waiting.length > MAX_WAITING) throw new Error('the stream makes no sense');
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line): [string, string] => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
        }),
      );
      const [event, data] = [fields.get('event'), fields.get('data')];
      if (event !== undefined && data !== undefined) onEvent({ event, data });
    }
  };
}
