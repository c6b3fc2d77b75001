/**
 * What one sidecar has of its pod's table, as far as its connection shows. One state, and a pure function from a state and an event to the
 * next state. No other code keeps a part of this state.
 *
 * | state | the sidecar | what it is sent next |
 * | --- | --- | --- |
 * | `nothing` | has been sent no table, or that its pod has none | the whole table; an outline, where it holds a table of its own |
 * | `offered` | has an outline, and has yet to say which parts it wants | nothing until it says so; after a while the whole table |
 * | `wanted` | has said which parts it wants | an outline with those, and with what has changed since |
 * | `following` | goes on from what it was sent last | changes |
 * | `refused` | has refused what it was sent, and not yet acknowledged what came after that | the whole table |
 *
 * ```
 *            outline sent            want: some              outline with parts begun
 *  nothing ───────────────► offered ───────────► wanted ─────────────────────────────┐
 *     │                        │ want: none, or a whole table begun                  │
 *     │ whole table sent       ▼                                                     │
 *     └──────────────────► following ◄───────────────────────────────────────────────┘
 *                           │  ▲  └─► change, outline with parts, or whole table sent: following
 *                      nack │  │ ack of what was sent last
 *                           ▼  │
 *                          refused ──► whole table sent: refused
 * ```
 *
 * `offered` and `wanted` become `refused` by a nack as well. Every state becomes `nothing` when the pod has no table any more.
 */
import { unreachable } from '../../../common/errors.ts';
import type { Table } from '../../../policy/index.ts';

/** Frames with tables: a whole table, an outline, an outline with the parts that are wanted, what has changed. */
export type TableFrame = 'snapshot' | 'outline' | 'parts' | 'change';

/** A frame with a table that has been sent. */
export interface Sent {
  readonly as: TableFrame;
  /** The table that the sidecar has when it takes the frame. */
  readonly table: Table;
  /** On the clock of `performance.now`. */
  readonly atMs: number;
}

/** See the file's head. `last`: what was sent last. */
export type DeliveryState =
  | {
      readonly kind: 'nothing';
      /** The sidecar has a table of its own, and no frame has been begun for it. */
      readonly holds: boolean;
      /** Why there is no table, as the sidecar has been sent it. */
      readonly message?: string;
    }
  | { readonly kind: 'offered'; readonly last: Sent }
  | {
      readonly kind: 'wanted';
      readonly last: Sent;
      /** Numbers of the parts that it wants. */
      readonly parts: ReadonlySet<number>;
    }
  | { readonly kind: 'following'; readonly last: Sent }
  | { readonly kind: 'refused'; readonly last: Sent };

/** What happens. */
export type DeliveryEvent =
  /** A frame is being made. */
  | { readonly type: 'begun'; readonly as: TableFrame }
  | { readonly type: 'sent'; readonly sent: Sent }
  /** The sidecar says which parts of the outline it wants. */
  | { readonly type: 'want'; readonly parts: ReadonlySet<number> }
  | { readonly type: 'nack' }
  | { readonly type: 'ack'; readonly revision: number }
  /** There is no table for the pod. */
  | { readonly type: 'withheld'; readonly message: string };

/** The state after an event. An event that means nothing in a state leaves it as it is. */
export function nextDelivery(state: DeliveryState, event: DeliveryEvent): DeliveryState {
  switch (event.type) {
    case 'begun':
      if (event.as === 'change') return state;
      if (state.kind === 'nothing') return { ...state, holds: false };
      // What was offered is no longer asked about: the sidecar gets all that it lacks, and follows from there.
      return state.kind === 'refused' ? state : { kind: 'following', last: state.last };
    case 'sent':
      if (event.sent.as === 'outline') return { kind: 'offered', last: event.sent };
      return { kind: state.kind === 'refused' ? 'refused' : 'following', last: event.sent };
    case 'want':
      if (state.kind !== 'offered') return state; // it was sent the whole table meanwhile
      if (event.parts.size === 0) return { kind: 'following', last: state.last };
      return { kind: 'wanted', last: state.last, parts: event.parts };
    case 'nack':
      return state.kind === 'nothing' ? state : { kind: 'refused', last: state.last };
    case 'ack': {
      const isAll = state.kind === 'refused' && event.revision === state.last.table.revision;
      return isAll ? { kind: 'following', last: state.last } : state;
    }
    case 'withheld': {
      const holds = state.kind === 'nothing' && state.holds;
      return { kind: 'nothing', holds, message: event.message };
    }
    default:
      return unreachable(event);
  }
}
