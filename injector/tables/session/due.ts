/** What a session waits for, and what comes of sending it. */

/** Its whole table, or what changes in it. Either is made when its turn comes, as things are then. */
export interface Due {
  readonly kind: 'table' | 'change';
  /** What its table has then. */
  readonly revision: number;
}

/** What came of sending it: a frame was begun, a change was sent, or anything else. */
export type Sending = 'begun' | 'change' | 'done';
