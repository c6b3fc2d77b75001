/** The face of `sidecar/relay/`: what other parts may use. */

export { onFreePort } from './free_port.ts';
export type { SilenceLimits } from './probing.ts';
export type {
  Connection,
  ConnectionOwner,
  Ending,
  Endpoint,
  Relay,
  RelayEvents,
  RelaySettings,
} from './relay.ts';
export { type RelayKind, relayLimits, startRelay } from './start.ts';
