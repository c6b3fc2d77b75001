/** Accesses by the rules that make them up; many addresses share few. */
import type { ContainerPort, TablePort } from '../../policy/index.ts';
import { type Access, accessId, accessOf } from './access.ts';

/** Lists of rules remembered; beyond it all are dropped. With a thousand rules one can have kilobytes. */
const LISTS_MAX = 16_384;

/** An access with its id. */
export interface NamedAccess {
  readonly id: string;
  readonly access: Access;
}

/** Works out accesses for one list of rules. */
export class AccessIds {
  readonly #ports: readonly (readonly TablePort[])[];
  readonly #byRules = new Map<string, NamedAccess>();

  /** @param ports of each rule */
  constructor(ports: readonly (readonly TablePort[])[]) {
    this.#ports = ports;
  }

  /**
   * @param rules places in the list, any order
   * @param declared the ports that names in the rules stand for
   */
  of(rules: readonly number[], declared: readonly ContainerPort[] = []): NamedAccess {
    const names = declared.map(({ name, protocol, port }) => `${name}=${protocol}/${port}`);
    // As they come: thousands of addresses share few lists, which need no sorting to be known.
    const key = `${rules.join()} ${names.join()}`;
    const known = this.#byRules.get(key);
    if (known !== undefined) return known;
    const access = accessOf(
      [...new Set(rules)].map((rule) => this.#ports[rule] ?? []),
      declared,
    );
    const made = { id: accessId(access), access };
    if (this.#byRules.size >= LISTS_MAX) this.#byRules.clear();
    this.#byRules.set(key, made);
    return made;
  }
}
