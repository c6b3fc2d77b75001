/** Accepts what the redirect delivers, dials the app, and moves the bytes. It decides nothing. */

export { onFreePort } from './free_port.ts';
export type { SilenceLimits } from './probing.ts';
export type {
  Connection,
  ConnectionOwner,
  Ending,
  Endpoint,
  Relay,
  RelayEvents,
} from './relay.ts';
export { type RelayKind, relayLimits, startRelay } from './start.ts';
