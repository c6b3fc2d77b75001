/** Makes a flow of each connection that the relay accepts. */
import type { Connection, ConnectionOwner, RelayEvents } from '../relay/index.ts';
import type { InboundFailures } from './failures.ts';
import { acceptInbound, type InboundContext } from './inbound.ts';

/** Hears the relay: each accepted connection becomes an inbound flow, each failure is counted and logged. */
export class InboundAcceptor implements RelayEvents {
  readonly #context: InboundContext;
  readonly #failures: InboundFailures;

  constructor(context: InboundContext, failures: InboundFailures) {
    this.#context = context;
    this.#failures = failures;
  }

  accepted(connection: Connection): ConnectionOwner {
    return acceptInbound(connection, this.#context);
  }

  acceptFailed(error: string): void {
    this.#failures.acceptFailed(error);
  }
}
