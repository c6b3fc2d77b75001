/** The truth table of what a sidecar has: every state, every event. */
import { expect, test } from 'vitest';
import {
  type DeliveryEvent,
  type DeliveryState,
  nextDelivery,
  type Sent,
  type TableFrame,
} from '../../../../../injector/tables/session/delivery_state.ts';
import { table } from '../../../../builders/tables.ts';

const sent = (as: TableFrame, revision: number): Sent => ({ as, table: table({ revision }), atMs: revision });

const OUTLINE = sent('outline', 8);
const CHANGE = sent('change', 8);
const NEXT: Readonly<Record<TableFrame, Sent>> = {
  snapshot: sent('snapshot', 9),
  outline: sent('outline', 9),
  parts: sent('parts', 9),
  change: sent('change', 9),
};
const PARTS = new Set([0, 2]);

const STATES = {
  nothing: { kind: 'nothing', holds: false },
  'nothing, holds': { kind: 'nothing', holds: true, message: 'no such pod' },
  offered: { kind: 'offered', last: OUTLINE },
  wanted: { kind: 'wanted', last: OUTLINE, parts: PARTS },
  following: { kind: 'following', last: CHANGE },
  refused: { kind: 'refused', last: CHANGE },
} as const satisfies Readonly<Record<string, DeliveryState>>;

type Name = keyof typeof STATES;

const begun = (as: TableFrame): DeliveryEvent => ({ type: 'begun', as });
const done = (as: TableFrame): DeliveryEvent => ({ type: 'sent', sent: NEXT[as] });

const EVENTS = {
  'a change begun': begun('change'),
  'an outline begun': begun('outline'),
  'its parts begun': begun('parts'),
  'a snapshot begun': begun('snapshot'),
  'a change sent': done('change'),
  'an outline sent': done('outline'),
  'its parts sent': done('parts'),
  'a snapshot sent': done('snapshot'),
  'nothing wanted': { type: 'want', parts: new Set() },
  'some wanted': { type: 'want', parts: PARTS },
  nack: { type: 'nack' },
  'ack of the last': { type: 'ack', revision: 8 },
  'ack of one before': { type: 'ack', revision: 7 },
  withheld: { type: 'withheld', message: 'gone' },
} as const satisfies Readonly<Record<string, DeliveryEvent>>;

type Event = keyof typeof EVENTS;

const following = (last: Sent): DeliveryState => ({ kind: 'following', last });
const refused = (last: Sent): DeliveryState => ({ kind: 'refused', last });
const offered = (last: Sent): DeliveryState => ({ kind: 'offered', last });
const GONE: DeliveryState = { kind: 'nothing', holds: false, message: 'gone' };

/** What an event makes of a state; not named: it stays. */
const TABLE: Readonly<Record<Event, Partial<Record<Name, DeliveryState>>>> = {
  'a change begun': {},
  'an outline begun': {
    'nothing, holds': { kind: 'nothing', holds: false, message: 'no such pod' },
    offered: following(OUTLINE),
    wanted: following(OUTLINE),
  },
  'its parts begun': {
    'nothing, holds': { kind: 'nothing', holds: false, message: 'no such pod' },
    offered: following(OUTLINE),
    wanted: following(OUTLINE),
  },
  'a snapshot begun': {
    'nothing, holds': { kind: 'nothing', holds: false, message: 'no such pod' },
    offered: following(OUTLINE),
    wanted: following(OUTLINE),
  },
  'a change sent': {
    nothing: following(NEXT.change),
    'nothing, holds': following(NEXT.change),
    offered: following(NEXT.change),
    wanted: following(NEXT.change),
    following: following(NEXT.change),
    refused: refused(NEXT.change),
  },
  'an outline sent': {
    nothing: offered(NEXT.outline),
    'nothing, holds': offered(NEXT.outline),
    offered: offered(NEXT.outline),
    wanted: offered(NEXT.outline),
    following: offered(NEXT.outline),
    refused: offered(NEXT.outline),
  },
  'its parts sent': {
    nothing: following(NEXT.parts),
    'nothing, holds': following(NEXT.parts),
    offered: following(NEXT.parts),
    wanted: following(NEXT.parts),
    following: following(NEXT.parts),
    refused: refused(NEXT.parts),
  },
  'a snapshot sent': {
    nothing: following(NEXT.snapshot),
    'nothing, holds': following(NEXT.snapshot),
    offered: following(NEXT.snapshot),
    wanted: following(NEXT.snapshot),
    following: following(NEXT.snapshot),
    refused: refused(NEXT.snapshot),
  },
  'nothing wanted': { offered: following(OUTLINE) },
  'some wanted': { offered: STATES.wanted },
  nack: {
    offered: refused(OUTLINE),
    wanted: refused(OUTLINE),
    following: STATES.refused,
  },
  'ack of the last': { refused: STATES.following },
  'ack of one before': {},
  withheld: {
    nothing: GONE,
    'nothing, holds': { kind: 'nothing', holds: true, message: 'gone' },
    offered: GONE,
    wanted: GONE,
    following: GONE,
    refused: GONE,
  },
};

const names = Object.keys(STATES) as Name[];
const cases = Object.entries(TABLE).flatMap(([event, made]) =>
  names.map((name) => [event as Event, name, made[name] ?? STATES[name]] as const),
);

test.each(cases)('%s: %s', (event, name, expected) => {
  expect(nextDelivery(STATES[name], EVENTS[event])).toEqual(expected);
});
