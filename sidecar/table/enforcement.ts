/** The table in force. Fails closed before the first one, static afterwards: only a good new table replaces it. */

import { SluiceError } from '../../common/errors.ts';
import { Recent } from '../../common/recent.ts';
import {
  applyChange,
  createJudge,
  type Direction,
  type Judge,
  MAX_MET,
  type Protocol,
  type Table,
  type TableChange,
  type Verdict,
} from '../../policy/index.ts';
import type { Relay } from '../relay/index.ts';
import type { LiveTable } from './live_table.ts';
import type { MembershipQueries } from './membership_queries.ts';
import type { Owner, Owners } from './owners.ts';
import { hasLargeWhole } from './whole_groups.ts';

/** Explanations kept at once; beyond it the oldest goes. Some 300 bytes each. */
const EXPLANATIONS_MAX = 4096;

/**
 * The judge before is kept this long after the last change of the table, ms. Flows end within a second where the kernel takes its new
 * rules; where it does not, two tables would stay in memory for as long, and a later end would be put down to one of long ago.
 */
export const BEFORE_MS = 60_000;

/** What policy was asked. `peer` is the other side's address. */
export interface Question {
  readonly direction: Direction;
  readonly peer: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** The port that was asked for, where a Service translates it. */
  readonly servicePort?: number;
}

/** Holds the table, answers for it, and has live flows re-evaluated when it changes. */
export class Enforcement {
  readonly #live: LiveTable;
  /** It remembers admissions of the table in force. */
  #relay: Pick<Relay, 'forgetAdmissions' | 'settled'> | undefined;
  /** They remember labels, which tables follow. */
  #owners: Pick<Owners, 'outdated'> | undefined;
  /** They know who is asked about; absent: nobody is. */
  #membership: Pick<MembershipQueries, 'ask'> | undefined;
  /** The latest questions about sources of live flows, and those before. */
  #asked: Promise<void> = Promise.resolve();
  readonly #nodePorts: ReadonlySet<number> | undefined;
  #judge: Judge | undefined;
  #before: Judge | undefined;
  /** Ends `#before`. */
  #forgetting: NodeJS.Timeout | undefined;
  /** By direction, peer, protocol and port; of the table in force. */
  readonly #explanations = new Recent<string, { readonly verdict: Verdict; readonly owner: Owner }>(
    EXPLANATIONS_MAX,
  );
  /** When the injector last said that the table is current, ms since the epoch; 0 before the first time. */
  #confirmedAtMs = 0;

  /** @param nodePorts TCP ports that the own node always reaches; absent: everything */
  constructor(live: LiveTable, nodePorts?: readonly number[]) {
    this.#live = live;
    this.#nodePorts = nodePorts && new Set(nodePorts);
  }

  /** From now on the relay forgets what it remembers when a new table is in force, before the live flows are judged by it. */
  attach(relay: Pick<Relay, 'forgetAdmissions' | 'settled'>): void {
    this.#relay = relay;
  }

  /** From now on those who answer for peers hear of another table before the live flows are judged by it. */
  outdates(owners: Pick<Owners, 'outdated'>): void {
    this.#owners = owners;
  }

  /** From now on peers are asked about before their flows end, where partial groups may have them. */
  asks(membership: Pick<MembershipQueries, 'ask'>): void {
    this.#membership = membership;
  }

  /** Absent before the first table. */
  get judge(): Judge | undefined {
    return this.#judge;
  }

  /**
   * The judge of the table that was in force before, until all flows that the one of now disallows are known to be ended: for the records
   * of those. Of several tables in a row it is that before the first of them. Undefined most of the time: nothing is held twice. It is
   * undefined `BEFORE_MS` after the last table at the latest.
   */
  get before(): Judge | undefined {
    return this.#before;
  }

  /** All flows that the table of a judge disallows have ended: those that go on are allowed by it. */
  settled(judge: Judge | undefined): void {
    if (judge === this.#judge) this.#forgetBefore();
    else this.#before = judge;
  }

  #forgetBefore(): void {
    clearTimeout(this.#forgetting);
    this.#forgetting = undefined;
    this.#before = undefined;
  }

  /** Forgets the judge before. The table stays in force. */
  close(): void {
    this.#forgetBefore();
  }

  get table(): Table | undefined {
    return this.#judge?.table;
  }

  /** 0 before the first table. */
  get revision(): number {
    return this.table?.revision ?? 0;
  }

  /** The pod itself, where a canonical address is its own. */
  self(address: string): Table['subject'] | undefined {
    const subject = this.table?.subject;
    return subject?.ips.includes(address) ? subject : undefined;
  }

  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  /** Fails closed: without a table nothing is admitted. */
  verdict(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict {
    return (
      this.#judge?.judge(direction, peer, protocol, port) ?? {
        verdict: 'deny',
        direction,
        reason: 'no-table',
      }
    );
  }

  /**
   * The verdict with the rules that came near. Finding them takes milliseconds with a thousand rules, so they are remembered until
   * the table changes: a peer that keeps knocking costs one search.
   * @param judge of the table that denied: it may have been replaced since
   * @param owner who has the address
   */
  explain(judge: Judge | undefined, question: Question, owner: Owner): Verdict {
    const { direction, peer, protocol, port, servicePort } = question;
    if (judge === undefined) return { verdict: 'deny', direction, reason: 'no-table' };
    if (judge !== this.#judge) return judge.explain(direction, peer, protocol, port, owner, servicePort);
    const key = `${direction} ${peer} ${protocol} ${port} ${servicePort ?? ''}`;
    const known = this.#explanations.get(key);
    if (known !== undefined && known.owner === owner) return known.verdict;
    const verdict = judge.explain(direction, peer, protocol, port, owner, servicePort);
    return this.#explanations.keep(key, { verdict, owner }).verdict;
  }

  /**
   * Asks about the peer where a denial may be wrong. `answered` is called when there is an answer, or none in time; who gets another
   * denial then is not asked about again.
   * @returns whether the peer is asked about
   */
  askIfUnsure({ direction, peer, protocol, port }: Question, answered: () => void): boolean {
    if (this.#membership === undefined || this.#judge?.isUnsure(direction, peer, protocol, port) !== true)
      return false;
    this.#waitFor(this.#membership.ask([peer], answered));
    return true;
  }

  /**
   * Whom another injector is asked about before it sends a table: peers whom the table has in partial groups, and, where there are
   * such groups or large ones that are whole, sources of live flows. Canonical addresses.
   */
  acquaintances(): readonly string[] {
    const found = new Set<string>();
    for (const one of this.#acquaintances()) {
      if (found.size >= MAX_MET) break;
      found.add(one);
    }
    return [...found];
  }

  *#acquaintances(): Generator<string> {
    const groups = [...(this.table?.groups.values() ?? [])].filter(({ partial }) => partial);
    for (const { members } of groups) yield* members.keys();
    if (groups.length > 0 || (this.table !== undefined && hasLargeWhole(this.table)))
      yield* this.#live.sources;
  }

  /**
   * Puts a whole table in force. When it returns, flows that it disallows are ended, but for those whose sources are asked about: see
   * `allEnded`.
   * @param touched only the flows of these addresses can be concerned; absent: all flows
   * @returns how many
   */
  replace(table: Table, touched?: ReadonlySet<string>): number {
    this.#explanations.clear();
    const previous = this.#judge;
    this.#before ??= previous;
    this.#forgetSoon();
    this.#judge = createJudge(table, this.#nodePorts);
    this.#relay?.forgetAdmissions();
    this.#owners?.outdated(touched);
    const unsure = this.#membership && new Set<string>();
    const ended = this.#live.reevaluate(this.#judge, touched, unsure, previous);
    if (this.#membership !== undefined && unsure !== undefined && unsure.size > 0) {
      this.#waitFor(this.#membership.ask(unsure, (source) => this.#judgeAgain(source, previous)));
    }
    return ended;
  }

  #forgetSoon(): void {
    clearTimeout(this.#forgetting);
    this.#forgetting = undefined;
    if (this.#before !== undefined)
      this.#forgetting = setTimeout(() => this.#forgetBefore(), BEFORE_MS).unref();
  }

  #waitFor(asked: Promise<void>): void {
    this.#asked = Promise.all([this.#asked, asked]).then(() => undefined);
  }

  /** By the table in force now. Nobody is asked again. */
  #judgeAgain(source: string, previous: Judge | undefined): void {
    if (this.#judge !== undefined) this.#live.reevaluate(this.#judge, new Set([source]), undefined, previous);
  }

  /**
   * Resolves when the flows that the table in force disallows are ended: those as well that the relay was accepting when the table came, and
   * those whose sources had to be asked about.
   */
  async allEnded(): Promise<void> {
    await this.#relay?.settled();
    await this.#asked;
  }

  /**
   * Puts a change in force, as `replace` does; only the flows that it can concern are judged again.
   * @throws SluiceError `TABLE_GAP` or `TABLE_MALFORMED`; the table in force stays as it was.
   */
  apply(change: TableChange): number {
    if (this.table === undefined)
      throw new SluiceError('TABLE_GAP', `a change from ${change.from} came before any snapshot`);
    const { table, touched } = applyChange(this.table, change);
    return this.replace(table, touched);
  }

  /** The table is current, as the injector says. @param nowMs since the epoch; of a table from disk, when it was written */
  confirm(nowMs: number): void {
    this.#confirmedAtMs = nowMs;
  }
}
