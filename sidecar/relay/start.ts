/** Starts the relay that the configuration asks for. */
import { NODE_RELAY_LIMITS, startNodeRelay } from './reference/index.ts';
import type { Relay, RelayEvents, RelaySettings } from './relay.ts';
import { startSpliceRelay } from './splice_relay.ts';

/** `SLUICE_RELAY`: the native relay, or the reference that tests compare it with. */
export type RelayKind = 'splice' | 'node';

/** What a relay lacks and what follows from it, for people; empty for the native one. */
export function relayLimits(kind: RelayKind): readonly string[] {
  return kind === 'node' ? NODE_RELAY_LIMITS : [];
}

/** @throws SluiceError `SOCKET_*`, `NATIVE_ADDON_MISSING`, or a system error */
export async function startRelay(
  kind: RelayKind,
  settings: RelaySettings,
  events: RelayEvents,
): Promise<Relay> {
  return kind === 'node' ? startNodeRelay(settings, events) : startSpliceRelay(settings, events);
}
