/** All figures, in the order they are measured and shown. */
import { BULK } from './bulk.ts';
import { CONNECTIONS } from './connections.ts';
import { CUT } from './cut.ts';
import type { Figure } from './figure.ts';
import { KEEP_ALIVE } from './keep_alive.ts';
import { LOSSY } from './lossy.ts';
import { MEMORY } from './memory.ts';
import { POLICIES } from './policies.ts';
import { ROUND_TRIP } from './round_trip.ts';
import { START_UP } from './start_up.ts';

/** Every figure. */
export const FIGURES: readonly Figure[] = [
  BULK,
  LOSSY,
  ROUND_TRIP,
  CONNECTIONS,
  KEEP_ALIVE,
  POLICIES,
  CUT,
  START_UP,
  MEMORY,
];
