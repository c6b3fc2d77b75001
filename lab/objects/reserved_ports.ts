/** Ports of a pod that its sidecar takes for itself, so that no app can have them. */

import { SluiceError } from '../../common/errors.ts';
import { inboundPorts } from '../../common/inbound_ports.ts';
import { SIDECAR_OPTIONS } from '../../sidecar/config.ts';
import type { Topology } from '../network/index.ts';

/** The sidecar's settings that are ports of the pod's own network, and the ports that a value takes. */
const PORT_SETTINGS: Readonly<Record<string, (port: number) => readonly number[]>> = {
  SLUICE_INBOUND_PORT: inboundPorts,
  SLUICE_CANARY_PORT: (port) => [port],
  SLUICE_ADMIN_PORT: (port) => [port],
};

/**
 * Checks that no app behind a sidecar wants a TCP port of the sidecar's own.
 * @param sidecarEnv what the lab's sidecars have in their environment
 * @throws SluiceError `LAB_PORT_RESERVED` naming the setting
 */
export function checkPorts({ pods }: Topology, sidecarEnv: Readonly<Record<string, string>>): void {
  const settings = new Map<number, string>();
  for (const { env, default: usual } of SIDECAR_OPTIONS) {
    for (const port of PORT_SETTINGS[env]?.(Number(sidecarEnv[env] ?? usual)) ?? []) settings.set(port, env);
  }
  for (const pod of pods) {
    if (pod.hostNetwork) continue;
    const taken = pod.ports.find(({ protocol, port }) => protocol === 'TCP' && settings.has(port));
    if (taken === undefined) continue;
    throw new SluiceError(
      'LAB_PORT_RESERVED',
      `containerPort ${taken.port} of pod ${pod.key} is a port of the sidecar's own (${settings.get(taken.port)}): ` +
        'give the app another one in the lab; elsewhere, that setting moves the sidecar',
    );
  }
}
