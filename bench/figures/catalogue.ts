/** All figures, in the order they are measured and shown. */
import { BULK } from './bulk.ts';
import { CONNECTIONS } from './connections.ts';
import { CUT, CUT_MANY } from './cut.ts';
import type { Figure } from './figure.ts';
import { FLOW_EVENTS } from './flow_events.ts';
import { KEEP_ALIVE } from './keep_alive.ts';
import { LOSSY } from './lossy.ts';
import { MEMORY } from './memory.ts';
import { NODE_MEMORY } from './node_memory.ts';
import { PACKETS } from './packets.ts';
import { POLICIES } from './policies.ts';
import { ROUND_TRIP } from './round_trip.ts';
import { START_UP } from './start_up.ts';

/** Every figure. */
export const FIGURES: readonly Figure[] = [
  BULK,
  LOSSY,
  ROUND_TRIP,
  CONNECTIONS,
  FLOW_EVENTS,
  KEEP_ALIVE,
  PACKETS,
  POLICIES,
  CUT,
  CUT_MANY,
  START_UP,
  MEMORY,
  NODE_MEMORY,
];
