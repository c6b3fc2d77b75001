/** Faults that a test orders: they are played out on the next requests that match, in the order of the orders. */

/** Which requests. Absent parts match all. */
export interface RequestMatch {
  readonly method?: string;
  readonly plural?: string;
  /** Only watches, or only what is none. */
  readonly watch?: boolean;
  /** Only watches that are to begin with all that there is, or only what is none. */
  readonly initial?: boolean;
}

/** The connection is cut, a 410 comes, the watch ends in good order, or nothing more comes. */
export type BreakOff = 'cut' | 'gone' | 'end' | 'silence';

/** What happens instead of an answer, or, for `delay`, before it. */
export type FaultAction =
  /** 429, as priority and fairness has it. */
  | { readonly do: 'too-many-requests'; readonly retryAfterSeconds: number }
  | { readonly do: 'fail'; readonly code: number }
  /** The connection is reset. */
  | { readonly do: 'reset' }
  /** Never answered. */
  | { readonly do: 'hang' }
  /** The answer ends in its middle, or stops there. */
  | { readonly do: 'truncate' | 'stop-midway' }
  /** A watch that begins with all that there is breaks off after so many objects; see `BreakOff`. */
  | { readonly do: 'break-initial-events'; readonly after: number; readonly by: BreakOff }
  | { readonly do: 'delay'; readonly ms: number };

/** An order. */
export interface Fault {
  readonly on: RequestMatch;
  readonly action: FaultAction;
  /** How many requests; default 1. */
  readonly times?: number;
}

/** One request, as faults see it. */
export interface SeenRequest {
  readonly method: string;
  readonly plural: string;
  readonly watch: boolean;
  readonly initial: boolean;
}

/** The orders that are not played out yet. */
export class Faults {
  #orders: { readonly fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#orders.push({ fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#orders = [];
  }

  /** What is to happen to this request. */
  take(request: SeenRequest): FaultAction | undefined {
    const order = this.#orders.find(({ fault }) => matches(fault.on, request));
    if (order === undefined) return undefined;
    order.left -= 1;
    if (order.left <= 0) this.#orders = this.#orders.filter((other) => other !== order);
    return order.fault.action;
  }
}

function matches(match: RequestMatch, request: SeenRequest): boolean {
  return (
    (match.method ?? request.method) === request.method &&
    (match.plural ?? request.plural) === request.plural &&
    (match.watch ?? request.watch) === request.watch &&
    (match.initial ?? request.initial) === request.initial
  );
}
