/** Windows and counts of flows, as sidecars send them. */
import type { FlowCount, FlowWindow } from '../../flows/index.ts';

/** One allowed TCP connection to port 8080 that came in. */
export function flowCount(rest: Partial<FlowCount> = {}): FlowCount {
  return {
    direction: 'ingress',
    outcome: 'allow',
    protocol: 'TCP',
    peer: '10.0.0.1',
    port: 8080,
    reason: 'not-isolated',
    flows: 1,
    packets: 0,
    sent: 100,
    received: 10,
    millis: 5,
    ...rest,
  };
}

/** A window of ten seconds that ends now. */
export function flowsWindow(counts: readonly FlowCount[], rest: Partial<FlowWindow> = {}): FlowWindow {
  const to = rest.to ?? Date.now();
  return { from: to - 10_000, to, lost: 0, counts, events: [], eventsLost: 0, ...rest };
}
