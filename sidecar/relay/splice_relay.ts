/** The relay on a native thread: no JavaScript object or call for a chunk, one event at a flow's start and one at its end. */
import {
  type Addon,
  type Family,
  loadAddon,
  type NativeEnd,
  type NativeEnded,
  NativeRelay,
} from '../../native/index.ts';
import { APP_LEG_MARK, APP_LEG_PORTS } from '../kernel/index.ts';
import { addressOfBytes } from './address_of_bytes.ts';
import { brokenEnd } from './broken_end.ts';
import { listenInbound } from './listeners.ts';
import { probing } from './probing.ts';
import type {
  Connection,
  ConnectionOwner,
  Endpoint,
  Progress,
  Relay,
  RelayEnd,
  RelayEvents,
  RelaySettings,
} from './relay.ts';

const MS_PER_SECOND = 1000;

/** Ends that do not depend on the error. */
const ENDS: Readonly<Record<Exclude<NativeEnd, 'source' | 'destination'>, RelayEnd>> = {
  closed: 'closed',
  unreachable: 'unreachable',
  shortage: 'shortage',
  'dial-failed': 'dial-failed',
  reset: 'reset',
  stalled: 'stalled',
  idle: 'idle-timeout',
};

/** Each thread has flows of its own; they share the listeners. @throws SluiceError `SOCKET_*`, `NATIVE_ADDON_MISSING` */
export function startSpliceRelay(
  settings: RelaySettings,
  events: RelayEvents,
  addon: Addon = loadAddon(),
): Relay {
  const { sockets, inboundPort, threads } = settings;
  const listeners = listenInbound(sockets, inboundPort);
  const relays: NativeRelay[] = [];
  const share = {
    ...settings,
    connectionLimit: Math.floor(settings.connectionLimit / threads),
    pipeLimit: Math.floor(settings.pipeLimit / threads),
    bufferBytes: Math.floor(settings.bufferBytes / threads),
  };
  try {
    const fds = listeners.flatMap((ofFamily) => ofFamily.fds);
    for (let i = 0; i < threads; i += 1) relays.push(startThread(fds, share, events, addon));
  } catch (error) {
    for (const relay of relays) relay.close();
    throw error;
  } finally {
    for (const fd of listeners.flatMap(({ fds }) => fds)) sockets.close(fd); // each thread has a duplicate
  }
  return {
    families: listeners.map(({ family }) => family),
    forgetAdmissions() {
      // All of them first: reporting takes time, and none may go on admitting by the old table meanwhile.
      for (const relay of relays) relay.forget();
      for (const relay of relays) relay.reportRemembered();
    },
    async settled() {
      await Promise.all(relays.map((relay) => relay.caughtUp()));
      // Once more, for what was asked for because of what was reported.
      await Promise.all(relays.map((relay) => relay.caughtUp()));
    },
    trustGate(inForce) {
      for (const relay of relays) relay.trustGate(inForce);
    },
    stopAccepting() {
      for (const relay of relays) relay.stopAccepting();
    },
    close() {
      for (const relay of relays) relay.close();
    },
  };
}

function startThread(
  listeners: readonly number[],
  settings: RelaySettings,
  events: RelayEvents,
  addon: Addon,
): NativeRelay {
  /** By slot: a slot has no second flow before the end of the first was reported. */
  const flows: (SpliceConnection | undefined)[] = [];
  const relay = new NativeRelay(
    {
      listeners,
      firstPort: APP_LEG_PORTS.first,
      lastPort: APP_LEG_PORTS.last,
      mark: APP_LEG_MARK,
      connectTimeoutMs: settings.connectTimeoutMs,
      ...probing(settings),
      maxFlows: settings.connectionLimit,
      maxPipes: settings.pipeLimit,
      maxHeldBytes: settings.bufferBytes,
      ownPorts: [settings.adminPort, settings.canaryPort],
      endIdleSeconds: Math.ceil(settings.idleMs / MS_PER_SECOND),
    },
    {
      accepted(event) {
        const { slot, generation, family, source, sourcePort, destination, destinationPort } = event;
        const connection = new SpliceConnection(
          relay,
          slot,
          generation,
          family,
          { address: addressOfBytes(source), port: sourcePort },
          { address: addressOfBytes(destination), port: destinationPort },
          event.remembered,
          event.rememberedSince,
        );
        flows[slot] = connection;
        connection.owner = events.accepted(connection);
      },
      ended(event) {
        const connection = flows[event.slot];
        flows[event.slot] = undefined;
        connection?.ended(event);
      },
      acceptFailed: (error) => events.acceptFailed(error),
    },
    addon,
  );
  return relay;
}

class SpliceConnection implements Connection {
  readonly slot: number;
  readonly generation: number;
  readonly family: Family;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly admitted: boolean;
  readonly admittedSince: boolean;
  readonly #relay: NativeRelay;
  owner: ConnectionOwner | undefined;

  constructor(
    relay: NativeRelay,
    slot: number,
    generation: number,
    family: Family,
    source: Endpoint,
    destination: Endpoint,
    admitted: boolean,
    admittedSince: boolean,
  ) {
    this.#relay = relay;
    this.slot = slot;
    this.generation = generation;
    this.family = family;
    this.source = source;
    this.destination = destination;
    this.admitted = admitted;
    this.admittedSince = admittedSince;
  }

  admit(): void {
    if (!this.admitted) this.#relay.admit(this, true);
  }

  doubtGate(): void {
    this.#relay.doubt();
  }

  resetSource(): void {
    this.#relay.resetSource(this);
  }

  reset(): void {
    this.#relay.reset(this);
  }

  finish(): void {
    this.#relay.finish(this);
  }

  progress(): Progress {
    return this.#relay.progress(this) ?? { relaying: false, fromSource: 0, toSource: 0 };
  }

  ended({ end, error, fromSource, toSource, durationMs }: NativeEnded): void {
    const how = end === 'source' || end === 'destination' ? brokenEnd(end, error) : ENDS[end];
    const ending = { end: how, fromSource, toSource, durationMs };
    this.owner?.ended(error === undefined ? ending : { ...ending, error });
  }
}
