/**
 * Ends flows that the pod has open to others. They do not pass the proxy: the gate judges each packet. When a table no longer
 * allows a TCP connection, its socket is destroyed in the kernel, which resets both ends at once. A UDP or SCTP flow to a Service
 * stays with one backend as long as connection tracking has it; where that backend is denied or gone, connection tracking is made
 * to forget the flow, so that its next packet gets another backend.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { errnoName, messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { LatestWins } from '../../common/latest_wins.ts';
import { type Judge, virtualKey } from '../../policy/index.ts';
import {
  destroySockets,
  firstFailure,
  forgetFlows,
  hasFailed,
  type Side,
  type TcpSocket,
  type TrackedEntry,
  type TrackedFlow,
  tcpFlows,
  tcpSockets,
  trackedFlows,
} from '../kernel/index.ts';
import type { EndedOutbound } from '../records/index.ts';
import { formerVerdict } from '../table/index.ts';
import {
  endedOutbound,
  type Interfaces,
  isSame,
  isToOthers,
  ownAddressesOf,
  revoked,
} from './outbound_flow.ts';

/** What a kernel knows of outbound flows, and does to them. */
export interface OutboundKernel {
  /** Those that are `wanted`. */
  sockets(wanted: (local: Side, remote: Side) => boolean): AsyncIterable<readonly TcpSocket[]>;
  /** The flow that each socket belongs to, as connection tracking knows it. */
  flowsOf(sockets: readonly TcpSocket[]): Promise<readonly (TrackedFlow | undefined)[]>;
  flows(): AsyncIterable<readonly TrackedEntry[]>;
  /** @returns for each 0 or a negative error number */
  destroy(sockets: readonly TcpSocket[]): Promise<readonly number[]>;
  /** @returns for each 0 or a negative error number */
  forget(flows: readonly TrackedEntry[]): Promise<readonly number[]>;
}

/** Who else records ends of outbound flows: each flow has one record. */
export interface OutboundClaims {
  /** Whether the flow has no record yet. From then on it is the caller's to record. */
  claim(flow: EndedOutbound): boolean;
  /** The flow goes on after all. */
  release(flow: EndedOutbound): void;
}

/** Who is asked whether partial groups have the peer of a flow, before the flow ends. */
export interface OutboundQuestions {
  /** @param answered called for each when all is known of it, or in time; resolves when it has been called for all */
  ask(addresses: Iterable<string>, answered: (address: string) => void): Promise<void>;
  /** The one in force. */
  judge(): Judge | undefined;
}

/** What a run works on. */
interface Run {
  readonly judge: Judge;
  /** By address: the judge that knew all about it. Another one may have to ask again. */
  readonly answered: ReadonlyMap<string, Judge | undefined>;
  /** Flows of peers who have to be asked about first go on; else they end as well. */
  readonly asks: boolean;
}

/**
 * How often flows are asked about again because the table has changed meanwhile, for 500 ms each: the gate drops their packets all the
 * time, and resets those that are still there after 5 s.
 */
const ROUNDS_MAX = 4;

const NOBODY_ELSE: OutboundClaims = { claim: () => true, release() {} };

/** The kernel of this network namespace, by netlink. */
const KERNEL: OutboundKernel = {
  sockets: tcpSockets,
  flowsOf: (sockets) =>
    tcpFlows(sockets.map(({ local, remote }) => ({ source: local, destination: remote }))),
  flows: trackedFlows,
  destroy: destroySockets,
  forget: forgetFlows,
};

/** Records written at a time; each takes some 50 us. */
const RECORDS_AT_ONCE = 50;

/** Ends outbound flows that tables disallow: one run at a time, of several requests in a row only the last. */
export class OutboundCutter {
  readonly #ended: (ended: EndedOutbound) => void;
  readonly #kernel: OutboundKernel;
  readonly #claims: OutboundClaims;
  readonly #injector: Side | undefined;
  readonly #questions: OutboundQuestions | undefined;
  readonly #interfaces: Interfaces;
  readonly #before: () => Judge | undefined;
  readonly #runs = new LatestWins<Run>((run) => this.#run(run));
  /**
   * Peers who have to be asked about, of the run that ended last. A run may be for several callers, whose own were left out: all of
   * them look here, right when it has ended.
   */
  #unsure: ReadonlySet<string> = new Set();
  #problem: string | undefined;
  /** Parts of the last table whose Services' flows were looked through. */
  #lookedThrough: readonly unknown[] = [];

  /**
   * @param ended called for each connection that was destroyed, or was reset by the gate a moment before
   * @param options `injector`: connections to it are the sidecar's own, and policy does not apply to them. `interfaces`: whose
   * addresses are the pod's before the table has any. `before`: the judge of the table before, for records
   */
  constructor(
    ended: (ended: EndedOutbound) => void,
    options: {
      readonly kernel?: OutboundKernel;
      readonly injector?: Side | undefined;
      readonly claims?: OutboundClaims;
      readonly questions?: OutboundQuestions;
      readonly interfaces?: Interfaces;
      readonly before?: () => Judge | undefined;
    } = {},
  ) {
    this.#ended = ended;
    this.#kernel = options.kernel ?? KERNEL;
    this.#claims = options.claims ?? NOBODY_ELSE;
    this.#injector = options.injector;
    this.#questions = options.questions;
    this.#interfaces = options.interfaces ?? (() => []);
    this.#before = options.before ?? (() => undefined);
  }

  /** Why the last run did not end flows at once; the gate then ends them some seconds after their next packet. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Ends what `judge` does not allow; resolves when that is done. Where a partial group may have the peer, that is asked first, and
   * the flow is judged by the table that is in force then.
   * @throws SluiceError `OUTBOUND_UNSUPPORTED`, `NETLINK_*` or `SOCKET_*`; the gate then ends flows some seconds after that
   */
  async cut(judge: Judge): Promise<void> {
    const questions = this.#questions;
    const answered = new Map<string, Judge | undefined>();
    let latest = judge;
    for (let round = 0; ; round += 1) {
      // After the last round as well: its run may have been left out for one that asks.
      await this.#runs.do({ judge: latest, answered, asks: questions !== undefined && round < ROUNDS_MAX });
      const unsure = this.#unsure;
      if (questions === undefined || unsure.size === 0) return;
      await questions.ask(unsure, (address) => answered.set(address, questions.judge()));
      latest = questions.judge() ?? latest;
    }
  }

  async #run(run: Run): Promise<void> {
    const unsure = new Set<string>();
    try {
      if (run.judge.table.egress.isolating.length === 0) return;
      await this.#end(run, unsure);
      this.#problem = undefined;
    } catch (error) {
      this.#problem = messageOf(error);
      throw error;
    } finally {
      this.#unsure = unsure;
    }
  }

  /** @param unsure gets the peers who have to be asked about */
  async #end({ judge, answered, asks }: Run, unsure: Set<string>): Promise<void> {
    const own = ownAddressesOf(judge, this.#interfaces);
    const sockets: TcpSocket[] = [];
    const mayEnd = (local: Side, remote: Side): boolean =>
      own.has(local.address) && !own.has(remote.address) && !isPlainlyAllowed(remote, judge);
    for await (const some of this.#kernel.sockets(mayEnd)) sockets.push(...some);
    const flows = await this.#kernel.flowsOf(sockets);
    const doomed: { socket: TcpSocket; ended: EndedOutbound }[] = [];
    for (const [index, socket] of sockets.entries()) {
      const flow = flows[index];
      // What was accepted is the proxy's, or the node's.
      if (flow === undefined || !isSame(flow.source, socket.local)) continue;
      if (!isToOthers(flow, own, this.#injector)) continue;
      const revocation = revoked(flow, judge);
      if (revocation === undefined) continue;
      const peer = flow.answering.address;
      if (revocation.isUnsure === true && asks && answered.get(peer) !== judge) {
        unsure.add(peer);
        continue;
      }
      const { cause: end, verdict } = revocation;
      const was = formerVerdict(this.#before(), 'egress', peer, flow.protocol, flow.answering.port);
      doomed.push({ socket, ended: endedOutbound(flow, judge, { bytes: socket, verdict, end, was }) });
    }
    const claimed = doomed.map(({ ended }) => this.#claims.claim(ended));
    const results = await this.#kernel.destroy(doomed.map(({ socket }) => socket));
    for (const [index, { ended }] of doomed.entries()) {
      if (claimed[index] === false) continue;
      if (hasFailed(results[index])) this.#claims.release(ended);
      else this.#ended(ended);
      if (index % RECORDS_AT_ONCE === RECORDS_AT_ONCE - 1) await turn();
    }
    check('destroy sockets', results);
  }

  /**
   * Has UDP and SCTP flows to Services leave backends that `judge` does not allow, or that are not ready any more. To be
   * called when the gate knows the new ones: the next packet takes one of those.
   * @throws SluiceError `NETLINK_*` or `SOCKET_*`; the gate then drops what is denied
   */
  async forgetBackends(judge: Judge): Promise<void> {
    const { egress, groups, services, subject } = judge.table;
    const members = [...groups.values()].flatMap((group) => [group.members, group.ports]);
    const parts = [egress, services, subject, ...members];
    const isDone =
      parts.length === this.#lookedThrough.length &&
      parts.every((part, index) => part === this.#lookedThrough[index]);
    if (isDone || !hasDatagrams(services)) return;
    const own = ownAddressesOf(judge, this.#interfaces);
    const stale: TrackedEntry[] = [];
    for await (const some of this.#kernel.flows()) {
      stale.push(...some.filter((flow) => own.has(flow.source.address) && isStale(flow, judge)));
    }
    const sure = await this.#surelyStale(stale, judge);
    check('forget flows', await this.#kernel.forget(sure));
    this.#lookedThrough = parts;
  }

  /** Those of the flows that have to leave their backends also when it was asked whether partial groups have these. */
  async #surelyStale(stale: readonly TrackedEntry[], judge: Judge): Promise<readonly TrackedEntry[]> {
    const unsure = stale.filter((flow) => revoked(flow, judge)?.isUnsure === true);
    if (this.#questions === undefined || unsure.length === 0) return stale;
    await this.#questions.ask(
      unsure.map(({ answering }) => answering.address),
      () => undefined,
    );
    const latest = this.#questions.judge() ?? judge;
    return stale.filter((flow) => isStale(flow, latest));
  }
}

/** Whether a Service has a port of UDP or SCTP. */
function hasDatagrams(services: Judge['table']['services']): boolean {
  for (const key of services.keys()) if (!key.includes(' TCP/')) return true;
  return false;
}

/** Whether a connection needs no second look: it goes to a pod, so that nothing translates it, and is allowed. */
function isPlainlyAllowed({ address, port }: Side, judge: Judge): boolean {
  return judge.tag(address) !== undefined && judge.judge('egress', address, 'TCP', port).verdict === 'allow';
}

/** A UDP or SCTP flow stays with its backend as long as packets come, whether that may be reached or not. */
function isStale({ protocol, destination, answering }: TrackedFlow, judge: Judge): boolean {
  if (protocol === 'TCP') return false; // an allowed connection goes on, as it does with kube-proxy
  const service = judge.table.services.get(virtualKey(destination.address, protocol, destination.port));
  if (service === undefined) return false;
  const isListed = service.backends.some((one) => isSame(one, answering));
  return !isListed || judge.judge('egress', answering.address, protocol, answering.port).verdict === 'deny';
}

function check(task: string, results: readonly number[]): void {
  const failed = firstFailure(results);
  if (failed === undefined) return;
  const name = errnoName(failed);
  if (name !== 'ENOTSUP') {
    throw new SluiceError(
      'NETLINK_FAILED',
      `the kernel does not ${task}: ${name}; flows end some seconds after their next packet`,
    );
  }
  const hint = 'it needs CONFIG_INET_DIAG_DESTROY; denied flows end some seconds after their next packet';
  throw new SluiceError('OUTBOUND_UNSUPPORTED', `the kernel cannot ${task}: ${hint}`);
}
