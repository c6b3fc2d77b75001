/** What a process waits on, as a metric: the first place where a leak of timers or sockets shows. */
import { Gauge, type Registry } from 'prom-client';

/**
 * Registers a gauge of what keeps the event loop alive, by kind: Node's names, such as `Timeout` or `TCPSocketWrap`, so
 * that there are some twenty at most. Timers that do not keep the process alive are not counted.
 * Source: `process.getActiveResourcesInfo`.
 */
export function registerActiveResources(name: string, registry: Registry): void {
  new Gauge({
    name,
    help: 'What the process waits on, by kind, such as Timeout or TCPSocketWrap: one that grows for ever is a leak.',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.reset(); // a kind of which there is none left is not reported
      for (const kind of process.getActiveResourcesInfo()) this.inc({ kind });
    },
  });
}
