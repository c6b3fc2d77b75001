/** The proxy: from here on connections are accepted, judged and relayed. */
import type { Logger } from 'pino';
import { OncePer } from '../../common/pacing.ts';
import type { Sockets } from '../../native/index.ts';
import type { SidecarConfig } from '../config.ts';
import { holdSyns, releaseSyns } from '../gate/kernel/index.ts';
import type { InForceMachine } from '../in_force/index.ts';
import {
  Backlogs,
  InboundAcceptor,
  type InboundContext,
  InboundFailures,
  type InboundLimits,
} from '../inbound/index.ts';
import { backlogRoom } from '../kernel/index.ts';
import type { Recorder, SidecarMetrics } from '../records/index.ts';
import { onFreePort, type Relay, relayLimits, startRelay } from '../relay/index.ts';
import type { Owners } from '../table/index.ts';
import { GateTrust } from './gate_trust.ts';
import { ERROR_LOG_MS } from './log_intervals.ts';
import type { WatchedRedirect } from './redirect.ts';
import type { State } from './state.ts';

/** What the proxy works with. */
export interface DataPathParts {
  readonly state: State;
  readonly inForce: InForceMachine;
  readonly limits: InboundLimits;
  readonly sockets: Sockets;
  readonly redirect: WatchedRedirect;
  readonly recorder: Recorder;
  readonly owners: Owners;
  readonly backlogs: Backlogs;
  readonly metrics: SidecarMetrics;
  readonly log: Logger;
}

/** Makes the watch of the apps' accept queues. It asks nothing of the kernel until a connection is dialled. */
export function watchBacklogs(inForce: InForceMachine, log: Logger): Backlogs {
  const failures = new OncePer(ERROR_LOG_MS);
  return new Backlogs({ room: backlogRoom, hold: holdSyns, release: releaseSyns }, (err) => {
    if (failures.isDue() && inForce.state.gate.state !== 'unavailable')
      log.warn({ err }, 'full accept queues of apps are not noticed');
  });
}

/**
 * Starts the proxy; where an app has its port, on another one, to which the redirect is then led.
 * @throws SluiceError `SOCKET_*`, `NATIVE_ADDON_MISSING`, or a system error; nothing is accepted then
 */
export async function openDataPath(config: SidecarConfig, parts: DataPathParts): Promise<Relay> {
  const { state, inForce, redirect, log } = parts;
  const { adminPort, canaryPort, excludedPorts } = config;
  const taken = [adminPort, canaryPort, ...excludedPorts];
  const { relay, inboundPort } = await onFreePort(config.inboundPort, taken, async (port) => ({
    relay: await startOn(port, config, parts),
    inboundPort: port,
  }));
  state.enforcement.attach(relay);
  inForce.follow(new GateTrust(relay, inForce.state));
  inForce.happened({ event: 'listening', families: relay.families });
  log.info(
    { families: relay.families, port: inboundPort, revision: state.enforcement.revision },
    'listening',
  );
  const lacking = relayLimits(config.relay);
  if (lacking.length > 0)
    log.warn({ limits: lacking }, 'the relay is the reference for tests: it is not for pods that serve');
  if (inboundPort !== config.inboundPort) {
    log.error({ port: config.inboundPort }, 'an app has the port of the proxy: it listens on another one');
    await redirect.moveTo(inboundPort);
  }
  return relay;
}

function startOn(inboundPort: number, config: SidecarConfig, parts: DataPathParts): Promise<Relay> {
  const { state, limits, sockets, redirect, recorder, owners, backlogs, metrics, log } = parts;
  const connectionLimit = limits.connections.flows;
  const failures = new InboundFailures(metrics, log);
  const context: InboundContext = {
    path: 'proxy',
    enforcement: state.enforcement,
    live: state.live,
    owners,
    connectionLimit,
    inboundPort,
    canaryPort: config.canaryPort,
    adminPort: config.adminPort,
    canary: redirect.canary,
    recorder,
    metrics,
    backlogs,
    failures,
  };
  const settings = {
    ...config,
    inboundPort,
    sockets,
    connectionLimit,
    pipeLimit: limits.pipes,
    bufferBytes: limits.bufferBytes,
    threads: config.relayThreads,
  };
  return startRelay(config.relay, settings, new InboundAcceptor(context, failures));
}
