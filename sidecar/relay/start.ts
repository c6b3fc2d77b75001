/** Starts the relay that the configuration asks for. */
import { startNodeRelay } from './node_relay.ts';
import type { Relay, RelayEvents, RelaySettings } from './relay.ts';
import { startSpliceRelay } from './splice_relay.ts';

/** `SLUICE_RELAY`. */
export type RelayKind = 'splice' | 'node';

/** @throws SluiceError `SOCKET_*`, `NATIVE_ADDON_MISSING`, or a system error */
export async function startRelay(
  kind: RelayKind,
  settings: RelaySettings,
  events: RelayEvents,
): Promise<Relay> {
  return kind === 'node' ? startNodeRelay(settings, events) : startSpliceRelay(settings, events);
}
