/** The rules that the kernel has of a running sidecar's gate: brings them from one plan to the next. */
import { inSlices } from '../../../common/in_slices.ts';
import { ElementWriter, runNft } from '../../kernel/index.ts';
import { type GatePlan, gateChanges, NO_SERVICES } from '../plan/index.ts';
import { COMMON_MIN, commonAfter, commonOf, NONE_COMMON } from './common_access.ts';
import { putWhole } from './install.ts';
import { GATE_TABLE_NAME } from './names.ts';
import { netlinkElements } from './netlink_elements.ts';
import { nftText } from './nft_text.ts';
import { serviceSlices } from './service_elements.ts';
import { addedCounts, LOADING_CHAIN, missingCounts, preparedCounts } from './service_rules.ts';
import type { GateSettings } from './settings.ts';

/** What happens to the counters of the rules. */
export interface ReplaceEvents {
  /** The whole table is about to be replaced: what it has counted is lost unless it is read now. */
  beforeReplace(): Promise<void>;
  /** It has been: its counters begin at zero. */
  replaced(): void;
}

/** Holds what is known of the kernel's rules. One transaction at a time: the caller waits for each. */
export class KernelRules {
  readonly #settings: GateSettings;
  readonly #events: ReplaceEvents;
  readonly #writer = new ElementWriter(GATE_TABLE_NAME);
  /** What the kernel has; `undefined`: not known, so the next transaction replaces everything. */
  #plan: GatePlan | undefined;
  /** Numbers of backends that the kernel has chains for. */
  #counts: ReadonlySet<number> = new Set();
  /** Accesses whose pods are in sets. */
  #common = NONE_COMMON;
  #limits: readonly string[] = [];
  readonly #commonMin: number;

  /** @param commonMin pods that an access has to have for a set of its own */
  constructor(settings: GateSettings, events: ReplaceEvents, commonMin = COMMON_MIN) {
    this.#settings = settings;
    this.#events = events;
    this.#commonMin = commonMin;
  }

  /** The plan that the kernel enforces, as far as is known. */
  get plan(): GatePlan | undefined {
    return this.#plan;
  }

  /** What the kernel lacks for the gate and what follows from it, for people; empty where it has all. */
  get limits(): readonly string[] {
    return this.#limits;
  }

  /** The rules may be gone: the next transaction replaces everything. */
  forget(): void {
    this.#plan = undefined;
  }

  /** The rules stay. To be called when no transaction is under way. */
  close(): void {
    this.#writer.close();
  }

  /**
   * Has the kernel enforce this plan.
   * @throws SluiceError `GATE_*`, `NETLINK_*` or `SOCKET_*`; what the kernel has is not known then
   */
  async enforce(plan: GatePlan): Promise<void> {
    const before = this.#plan;
    this.#plan = undefined; // until it is known to have worked
    if (before === undefined || !(await this.#change(before, plan))) await this.#replace(plan);
    this.#plan = plan;
  }

  /** @returns false when the kernel does not have what was thought: then everything is replaced */
  #change(before: GatePlan, plan: GatePlan): Promise<boolean> {
    return this.#changed(before, plan).then(
      () => true,
      () => false,
    );
  }

  /**
   * In several transactions, each of which is right: between them a connection may be denied that the new plan admits, or
   * go to a backend that only the old plan admits, and be denied there. None passes that both deny: what goes to a
   * Service is judged after the translation.
   */
  async #changed(before: GatePlan, plan: GatePlan): Promise<void> {
    const [from, to] = [before.egress.services, plan.egress.services];
    const missing = missingCounts(this.#counts, to);
    if (missing.length > 0) {
      await runNft(`${addedCounts(missing).join('\n')}\n`);
      this.#counts = new Set([...this.#counts, ...missing]);
    }
    const changes = await inSlices(gateChanges(before, plan));
    const after = await inSlices(commonAfter(this.#common, changes, this.#commonMin));
    const common = { before: this.#common, after };
    // Accesses that take or leave the place come or go, which takes rules.
    const elements = netlinkElements(changes, common.before);
    if (elements !== undefined) await this.#writer.change(elements.changes, { gone: elements.goneChains });
    for (const slice of serviceSlices(from, to)) await this.#writer.change(slice);
    if (elements === undefined) await runNft(await inSlices(nftText(changes, common)));
    this.#common = common.after;
  }

  async #replace(plan: GatePlan): Promise<void> {
    const { services } = plan.egress;
    await this.#events.beforeReplace();
    this.#common = await inSlices(commonOf(plan, this.#commonMin));
    this.#limits = await putWhole(plan, this.#settings, this.#common);
    this.#events.replaced();
    this.#counts = preparedCounts(services);
    for (const slice of serviceSlices(NO_SERVICES, services)) await this.#writer.change(slice);
    if (services.ports.size > 0) await this.#writer.change([], { emptied: [LOADING_CHAIN] });
  }
}
