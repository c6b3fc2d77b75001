/**
 * What the injector and a sidecar say to each other, whatever carries it. On a local connection a frame is one
 * line of JSON. `readInjectorFrame` and `readSidecarFrame` check what arrives.
 */

import type { Table, TableDelta } from './table.ts';

/** From the injector to a sidecar. */
export type InjectorFrame =
  /** The whole table. First on each connection; later when a delta would not do. */
  | { readonly type: 'snapshot'; readonly table: Table }
  | { readonly type: 'delta'; readonly delta: TableDelta }
  /** The source is alive and `revision` is current. Every few seconds; keeps the table's age near zero. */
  | { readonly type: 'heartbeat'; readonly revision: number }
  /** The injector does not know the pod (yet): the sidecar keeps what it has and waits. */
  | { readonly type: 'unknown-pod'; readonly message: string };

/** From a sidecar to the injector. */
export type SidecarFrame =
  /** First on each connection: whose table is wanted. */
  | { readonly type: 'hello'; readonly schema: number; readonly namespace: string; readonly pod: string }
  /** `revision` is enforced: every flow it disallows has been ended. */
  | { readonly type: 'ack'; readonly revision: number }
  /** A frame was refused whole; the last good table stays in force. The injector answers with a snapshot. */
  | { readonly type: 'nack'; readonly revision: number; readonly code: string; readonly message: string };
