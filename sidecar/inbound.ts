/** Connections to the pod: policy is asked about their source; the app is dialled from the client's own IP. */
import type net from 'node:net';
import { redirected } from './accepted.ts';
import type { AppLegs } from './legs.ts';
import { ProxiedFlow, type ProxyContext } from './proxied_flow.ts';

/** What inbound connections need beside. */
export interface InboundContext extends ProxyContext {
  readonly appLegs: AppLegs;
  /** Ports of the sidecar's own: a connection to one of them, rather than through the redirect, has nowhere to go. */
  readonly ownPorts: ReadonlySet<number>;
  readonly canaryPort: number;
}

/** Takes over a connection that TPROXY delivered; its local address is the original destination. */
export function acceptInbound(client: net.Socket, context: InboundContext): void {
  const addresses = redirected(client);
  if (addresses === undefined) return context.acceptFailed();
  const { family, source, destination } = addresses;
  if (destination.port === context.canaryPort && source.address === destination.address) {
    client.end(); // the redirect works: that is all the canary asks
    client.resume();
    return;
  }
  const { appLegs } = context;
  const flow = new ProxiedFlow(client, context, {
    direction: 'ingress',
    source,
    destination,
    peer: source.address,
    port: destination.port,
    dial: () => appLegs.dial({ family, clientAddress: source.address, ...destination }),
    clashed: () => appLegs.skipPorts(),
  });
  if (context.ownPorts.has(destination.port)) return flow.refuse('reserved-port');
  if (isLinkLocal(source.address)) return flow.refuse('link-local');
  flow.start();
}

/** fe80::/10, RFC 4291: such an address means nothing without its link, so the app leg cannot come from it. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address);
}
