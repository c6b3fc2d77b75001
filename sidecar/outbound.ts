/**
 * Connections that an egress-isolated pod opens: policy is asked about their destination. A Service is its backends: one
 * that is ready and allowed is picked and dialled directly.
 */
import type net from 'node:net';
import type { Judge, VirtualPort } from '../policy/index.ts';
import { virtualKey } from '../policy/index.ts';
import { redirected } from './accepted.ts';
import type { Backends } from './backends.ts';
import { dialPeer } from './legs.ts';
import { ProxiedFlow, type ProxyContext, type Side } from './proxied_flow.ts';

/** What outbound connections need beside. */
export interface OutboundContext extends ProxyContext {
  readonly backends: Backends;
}

/** Takes over a connection that the gate gave to the proxy; its local address is the original destination. */
export function acceptOutbound(client: net.Socket, context: OutboundContext): void {
  const addresses = redirected(client);
  if (addresses === undefined) return context.acceptFailed();
  const { family, source, destination } = addresses;
  const { judge } = context.enforcement;
  const virtual = judge?.table.services[virtualKey(destination.address, 'TCP', destination.port)];
  const target =
    virtual === undefined || judge === undefined ? destination : pick(virtual, source, judge, context);
  const flow = new ProxiedFlow(client, context, {
    direction: 'egress',
    source,
    destination,
    // Without any backend there is nobody to ask about; the refusal below says so.
    peer: (target ?? destination).address,
    port: (target ?? destination).port,
    ...(virtual === undefined || target === undefined
      ? {}
      : { service: { namespace: virtual.namespace, name: virtual.name, backend: target } }),
    dial: () =>
      dialPeer(context.sockets, { family, clientAddress: source.address, ...(target ?? destination) }),
    clashed: () => undefined,
  });
  if (target === undefined) return flow.refuse('no-backend');
  flow.start();
}

/** An allowed backend; where none is allowed the first one, so that its denial is explained; none: `undefined`. */
function pick(virtual: VirtualPort, source: Side, judge: Judge, context: OutboundContext): Side | undefined {
  const allowed = virtual.backends.filter(
    ({ address, port }) => judge.judge('egress', address, 'TCP', port).verdict === 'allow',
  );
  return context.backends.choose(virtual, allowed, source.address) ?? virtual.backends[0];
}
