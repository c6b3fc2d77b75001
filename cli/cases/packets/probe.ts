/** One connection, or datagram, that is tried in a lab. */

/** Where a program of the test listens. */
export interface Listening {
  /** A target of the lab: `shop/web`, `node/n1`, `outside`. */
  readonly target: string;
  readonly address: string;
  readonly port: number;
}

/** One connection, or datagram, that is tried. */
export interface Probe {
  /** A target of the lab, where it is opened. */
  readonly from: string;
  readonly localAddress: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  /** Where it may get to and no app listens: whether it got there is known by an answer only. */
  readonly listen: readonly Listening[];
}
