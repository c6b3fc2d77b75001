/** Takes what the relay accepts. */
import type { Connection, ConnectionOwner, RelayEvents } from '../relay/index.ts';
import type { InboundFailures } from './failures.ts';
import { acceptInbound, type InboundContext } from './inbound.ts';

/** Hears the relay, and makes a flow of each connection. */
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
