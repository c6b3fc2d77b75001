/** The table's half of a sidecar: the real stream and enforcement, and one flow that its table allows. It notes what happens. */
import { performance } from 'node:perf_hooks';
import {
  Enforcement,
  InjectorLink,
  LiveTable,
  TableStream,
  type Transport,
} from '../../sidecar/table/index.ts';

/** Source of the flow. */
export const FLOW_SOURCE = '10.9.9.9';

const FLOW_PORT = 80;

/** Starts at once. */
export class FollowingSidecar {
  readonly enforcement: Enforcement;
  readonly #stream: TableStream;
  /** When it dialled; on the clock of `performance.now`. */
  readonly dialledAtMs: number[] = [];
  /** When it moved to another connection, and why. */
  readonly moves: { readonly atMs: number; readonly reason: string }[] = [];
  /** Why it was without a connection. */
  readonly losses: string[] = [];
  readonly refusals: string[] = [];
  /** Flows that were cut: none of them should be. */
  cuts = 0;

  constructor(transport: Transport, pod: { readonly namespace: string; readonly name: string }) {
    const live = new LiveTable();
    live.register({
      path: 'proxy',
      sourceAddress: FLOW_SOURCE,
      revoked: (judge) => {
        const verdict = judge.judge('ingress', FLOW_SOURCE, 'TCP', FLOW_PORT);
        return verdict.verdict === 'deny' ? { cause: 'policy-changed', verdict } : undefined;
      },
      resetSource: () => undefined,
      cut: () => {
        this.cuts += 1;
      },
      drain: () => undefined,
      view: () => undefined,
    });
    const link = new InjectorLink();
    const { dialledAtMs, moves, losses, refusals } = this;
    const enforcement = new Enforcement(live);
    this.enforcement = enforcement;
    const noted: Transport = {
      dial(asked) {
        dialledAtMs.push(performance.now());
        return transport.dial(asked);
      },
      explain: (error) => transport.explain(error),
    };
    this.#stream = new TableStream(
      noted,
      pod,
      enforcement,
      {
        connected: () => undefined,
        moved: (reason) => moves.push({ atMs: performance.now(), reason }),
        disconnected: (reason) => losses.push(reason),
        enforced: () => link.acknowledge(enforcement.revision),
        refused: (error) => refusals.push(error.message),
        unknownPod: () => undefined,
        identified: () => undefined,
        turnedAway: (message) => refusals.push(message),
        olderInjector: (message) => refusals.push(message),
      },
      { link },
    );
    this.#stream.start();
  }

  /** How long ago the injector last said that the table is current, ms. */
  get ageMs(): number {
    return Date.now() - this.enforcement.confirmedAtMs;
  }

  close(): void {
    this.#stream.close();
  }
}
