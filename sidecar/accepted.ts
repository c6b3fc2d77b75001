/** An accepted connection's addresses. */
import type net from 'node:net';
import type { Family } from '../native/addon.ts';
import { socketAddress } from '../policy/index.ts';
import type { Side } from './proxied_flow.ts';

/** Where a redirected connection comes from, and where it meant to go. Canonical. */
export interface RedirectedAddresses {
  readonly family: Family;
  readonly source: Side;
  readonly destination: Side;
}

/**
 * The addresses of a connection that TPROXY delivered; `undefined` when its client has already gone: then it is closed,
 * there is nothing to judge. Until a relay takes over, an error closes it.
 */
export function redirected(client: net.Socket): RedirectedAddresses | undefined {
  client.on('error', () => client.destroy());
  const { remoteAddress, remotePort, localAddress, localPort } = client;
  if (
    remoteAddress === undefined ||
    remotePort === undefined ||
    localAddress === undefined ||
    localPort === undefined
  ) {
    client.destroy();
    return undefined;
  }
  return {
    family: localAddress.includes(':') ? 6 : 4,
    source: { address: socketAddress(remoteAddress), port: remotePort },
    destination: { address: socketAddress(localAddress), port: localPort },
  };
}
