/**
 * The gate's rules at work without a kernel: reads the text and the elements that the kernel would get, and says what
 * becomes of the first packet of a connection. It knows the forms that the gate uses and refuses all others. As strict as
 * the kernel where that matters: no element leads to a chain that is not there, and nothing goes that is not there.
 */
import type { ElementChange } from '../../sidecar/kernel/nft_elements.ts';

/** The first packet of a connection. */
export interface Packet {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
}

type Verdict = 'accept' | 'drop';

/** What becomes of a packet, and where it goes after the translation of Services. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly destination: string;
  readonly port: number;
}

const TABLE = 'inet sluice';
const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** A packet on its way, and the number that chance draws. */
interface Walk {
  source: string;
  destination: string;
  readonly protocol: string;
  port: number;
  readonly drawn: number;
  /** How many numbers there were to draw from. */
  numbers: number;
}

/** What a part of a rule comes to: the rule goes on, does not match, or leads on. */
type Step = boolean | { readonly leads: string };

interface Form {
  readonly pattern: RegExp;
  readonly step: (groups: readonly string[], walk: Walk, machine: GateMachine) => Step;
}

interface Part {
  readonly form: Form;
  readonly groups: readonly string[];
}

/** One network namespace's `inet sluice`. */
export class GateMachine {
  readonly #chains = new Map<string, string[]>();
  /** Elements of sets and maps, by name and key; what a map's lead to, or nothing. */
  readonly #elements = new Map<string, Map<string, string>>();
  /** Rules taken apart. */
  readonly #read = new Map<string, readonly Part[]>();
  readonly #numbers = new Map<string, bigint>();

  /** Runs nft(8) commands. */
  run(text: string): void {
    let chain: string[] | undefined;
    for (const line of text.split('\n').map((one) => one.trim())) {
      if (chain === undefined) chain = this.#line(line);
      else if (line === '}') chain = undefined;
      else if (!line.startsWith('type ')) chain.push(line);
    }
  }

  /** Changes elements and then chains, as netlink does. */
  change(
    changes: readonly ElementChange[],
    { gone = [], emptied = [] }: { gone?: readonly string[]; emptied?: readonly string[] } = {},
  ): void {
    for (const { object, removed } of changes) {
      for (const key of removed) this.#remove(object, keyText(object, key));
    }
    for (const { object, added } of changes) {
      for (const { key, chain, value } of added) {
        const lead = chain === undefined ? backendText(value) : `goto ${chain}`;
        this.#add(object, keyText(object, key), lead);
      }
    }
    for (const chain of emptied) this.#chain(chain).length = 0;
    for (const chain of gone) this.#removeChain(chain);
  }

  /** All there is, to be compared; chains that wait for Services to come are left out. */
  get contents(): readonly string[] {
    const chains = [...this.#chains].filter(([name]) => !name.startsWith('pick_'));
    return [
      ...chains.map(([name, rules]) => `chain ${name}: ${rules.join('; ')}`),
      ...[...this.#elements].map(([name, all]) => `elements ${name}: ${[...all].sort().join('; ')}`),
    ].sort();
  }

  /** What may become of a packet that comes in, after what hooks exempt. */
  ingress(packet: Packet): readonly Outcome[] {
    return this.#outcomes(packet, ['in_subject']);
  }

  /** What may become of a packet that the pod sends. */
  egress(packet: Packet): readonly Outcome[] {
    return this.#outcomes(packet, ['translate', 'out_subject']);
  }

  /** Of a set or map. */
  element(object: string, key: string): string | undefined {
    return this.#object(object).get(key);
  }

  /** Of a map of ranges. */
  range(object: string, address: string): string | undefined {
    for (const [range, leads] of this.#object(object)) if (this.isIn(range, address)) return leads;
    return undefined;
  }

  /** Whether an address is in `from-to`. */
  isIn(range: string, address: string): boolean {
    const [from = '', to = from] = range.split('-');
    if (familyOf(from) !== familyOf(address)) return false;
    const value = this.#number(address);
    return this.#number(from) <= value && value <= this.#number(to);
  }

  #number(address: string): bigint {
    const number = this.#numbers.get(address) ?? numberOf(address);
    this.#numbers.set(address, number);
    return number;
  }

  #outcomes(packet: Packet, chains: readonly string[]): readonly Outcome[] {
    const found: Outcome[] = [];
    for (let drawn = 0, numbers = 1; drawn < numbers; drawn += 1) {
      const walk: Walk = { ...packet, protocol: packet.protocol.toLowerCase(), drawn, numbers: 1 };
      let verdict: Verdict | undefined;
      for (const chain of chains) {
        // A hook that is not there lets pass; a translated packet goes on to the next.
        verdict = this.#chains.has(chain) ? this.#walk(chain, walk) : undefined;
        if (verdict === 'drop') break;
      }
      found.push({ verdict: verdict ?? 'drop', destination: walk.destination, port: walk.port });
      numbers = walk.numbers;
    }
    return found;
  }

  #walk(chain: string, walk: Walk): Verdict | undefined {
    for (const rule of this.#chain(chain)) {
      const lead = this.#rule(rule, walk);
      if (lead === undefined) continue;
      if (lead === 'accept' || lead === 'drop') return lead;
      const [how, target = ''] = lead.split(' ');
      const verdict = this.#walk(target, walk);
      if (verdict !== undefined || how === 'goto') return verdict;
    }
    return undefined;
  }

  /** Where a rule leads; undefined where it does not match. */
  #rule(rule: string, walk: Walk): string | undefined {
    const parts = this.#read.get(rule) ?? partsOf(rule);
    this.#read.set(rule, parts);
    for (const { form, groups } of parts) {
      const step = form.step(groups, walk, this);
      if (step === false) return undefined;
      if (step !== true) return step.leads;
    }
    return undefined;
  }

  /** @returns the chain whose rules follow */
  #line(line: string): string[] | undefined {
    const match = LINES.exec(line);
    if (match === null) {
      const made = /^chain (\S+) \{(?: \})?$/.exec(line);
      if (made !== null) {
        const rules = this.#makeChain(made[1] ?? '');
        return line.endsWith('}') ? undefined : rules;
      }
      const object = /^(?:set|map) (\S+) \{.*\}$/.exec(line);
      if (object !== null) this.#elements.set(object[1] ?? '', new Map());
      else if (!['', '}', `table ${TABLE}`, `table ${TABLE} {`].includes(line))
        throw new Error(`the machine does not know "${line}"`);
      return undefined;
    }
    const [, command = '', name = '', rest = ''] = match;
    if (command === 'delete table') {
      this.#chains.clear();
      this.#elements.clear();
    } else if (command === 'add chain') this.#makeChain(name);
    else if (command === 'add rule') this.#chain(name).push(rest);
    else if (command === 'flush chain') this.#chain(name).length = 0;
    else if (command === 'delete chain') this.#removeChain(name);
    else if (command === 'flush set') this.#object(name).clear();
    else for (const item of listed(rest)) this.#item(command, name, item);
    return undefined;
  }

  #item(command: string, name: string, item: string): void {
    const [key = '', lead = ''] = item.split(' : ');
    if (command === 'add element') this.#add(name, key, lead);
    else this.#remove(name, key);
  }

  #makeChain(name: string): string[] {
    const rules = this.#chains.get(name) ?? [];
    this.#chains.set(name, rules);
    return rules;
  }

  #removeChain(name: string): void {
    this.#chain(name);
    for (const [object, elements] of this.#elements) {
      if ([...elements.values()].includes(`goto ${name}`))
        throw new Error(`${object} still leads to ${name}`);
    }
    this.#chains.delete(name);
  }

  #add(object: string, key: string, lead: string): void {
    const elements = this.#object(object);
    const known = elements.get(key);
    if (known !== undefined && known !== lead) throw new Error(`${object} has ${key} already`);
    if (lead.startsWith('goto ')) this.#chain(lead.slice('goto '.length));
    elements.set(key, lead);
  }

  #remove(object: string, key: string): void {
    if (!this.#object(object).delete(key)) throw new Error(`${object} has no ${key}`);
  }

  #chain(name: string): string[] {
    const chain = this.#chains.get(name);
    if (chain === undefined) throw new Error(`there is no chain ${name}`);
    return chain;
  }

  #object(name: string): Map<string, string> {
    const object = this.#elements.get(name);
    if (object === undefined) throw new Error(`there is no set or map ${name}`);
    return object;
  }
}

const LINES =
  /^(delete table|(?:add|flush|delete) chain|add rule|flush set|(?:add|delete) element) inet (?:sluice (\S+) ?)?(?:sluice)?(.*)$/;

const familyOf = (address: string): string => (address.includes(':') ? 'ip6' : 'ip');
const addressOf = (which: string, walk: Walk): string => (which === 'saddr' ? walk.source : walk.destination);
const virtualOf = ({ destination, protocol, port }: Walk): string => `${destination} ${protocol} ${port}`;
const lead = (to: string | undefined): Step => (to === undefined ? false : { leads: to });

/** The parts of rules, the longer forms first. */
const FORMS: readonly Form[] = [
  { pattern: /^(accept|drop)$/, step: ([verdict = '']) => ({ leads: verdict }) },
  { pattern: /^((?:goto|jump) \S+)$/, step: ([to = '']) => ({ leads: to }) },
  { pattern: /^reject with tcp reset$/, step: () => ({ leads: 'drop' }) },
  {
    pattern: /^dnat (ip6?) to ip6? daddr \. meta l4proto \. th dport \. numgen random mod (\d+) map @(\S+)$/,
    step: ([ip, count, map = ''], walk, machine) => {
      if (familyOf(walk.destination) !== ip) return false;
      walk.numbers = Number(count);
      const backend = machine.element(map, `${virtualOf(walk)} ${walk.drawn}`);
      if (backend === undefined)
        throw new Error(`no backend ${walk.drawn} of ${count} for ${virtualOf(walk)}`);
      const [address = '', port = ''] = backend.split(' ');
      Object.assign(walk, { destination: address, port: Number(port) });
      return { leads: 'accept' };
    },
  },
  {
    pattern: /^(ip6?) daddr \. meta l4proto \. th dport (vmap )?@(\S+)/,
    step: ([ip, isMap, object = ''], walk, machine) => {
      if (familyOf(walk.destination) !== ip) return false;
      const found = machine.element(object, virtualOf(walk));
      return isMap === undefined ? found !== undefined : lead(found);
    },
  },
  {
    pattern: /^(ip6?) ([sd]addr) (vmap )?@(\S+)/,
    step: ([ip, which = '', isMap, object = ''], walk, machine) => {
      const address = addressOf(which, walk);
      if (familyOf(address) !== ip) return false;
      const found = object.includes('_blocks')
        ? machine.range(object, address)
        : machine.element(object, address);
      return isMap === undefined ? found !== undefined : lead(found);
    },
  },
  {
    pattern: /^(ip6?) ([sd]addr) (\{[^}]*\})/,
    step: ([ip, which = '', list = ''], walk, machine) => {
      const address = addressOf(which, walk);
      return familyOf(address) === ip && listed(list).some((range) => machine.isIn(range, address));
    },
  },
  {
    pattern: /^meta l4proto (\{[^}]*\})/,
    step: ([list = ''], walk) => listed(list).includes(walk.protocol),
  },
  { pattern: /^meta l4proto (\S+)/, step: ([name], walk) => walk.protocol === name },
  {
    pattern: /^meta nfproto ipv([46])/,
    step: ([version], walk) => (familyOf(walk.source) === 'ip') === (version === '4'),
  },
  {
    pattern: /^(tcp|udp|sctp) dport (\{[^}]*\})/,
    step: ([name, list = ''], walk) =>
      walk.protocol === name &&
      listed(list).some((range) => {
        const [from = '', to = from] = range.split('-');
        return Number(from) <= walk.port && walk.port <= Number(to);
      }),
  },
  {
    pattern: /^tcp flags & \([^)]*\) (!=|==) syn/,
    step: ([sign], walk) => walk.protocol === 'tcp' && sign === '==',
  },
  { pattern: /^ct direction original/, step: () => true },
  { pattern: /^ct event set \S+/, step: () => true },
  // Not of the first packet of a connection between two hosts.
  {
    pattern:
      /^(tcp flags rst|ct direction reply|ct state (related|established)|tcp flags & \([^)]*\) == fin|[io]if lo)/,
    step: () => false,
  },
  { pattern: /^icmpv6 type \{[^}]*\}/, step: () => false },
  // What is counted and how often changes no verdict here.
  { pattern: /^(update @\S+ \{[^}]*\}|limit rate \S+ burst \d+ packets)/, step: () => true },
];

function listed(list: string): readonly string[] {
  return list
    .trim()
    .replace(/^\{|\}$/g, '')
    .split(',')
    .map((one) => one.trim());
}

function partsOf(rule: string): readonly Part[] {
  const parts: Part[] = [];
  for (let rest = rule; rest !== ''; ) {
    const form = FORMS.find(({ pattern }) => pattern.test(rest));
    if (form === undefined) throw new Error(`the machine does not know "${rest}" of "${rule}"`);
    const [all = '', ...groups] = form.pattern.exec(rest) ?? [];
    parts.push({ form, groups });
    rest = rest.slice(all.length).trim();
  }
  return parts;
}

function numberOf(address: string): bigint {
  if (!address.includes(':'))
    return address.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  const [head = '', tail] = address.split('::');
  const groups = (part: string) => part.split(':').filter((one) => one !== '');
  const last = groups(tail ?? '');
  const gap = tail === undefined ? 0 : 8 - groups(head).length - last.length;
  return [...groups(head), ...Array<string>(gap).fill('0'), ...last].reduce(
    (sum, group) => sum * 65_536n + BigInt(`0x${group}`),
    0n,
  );
}

/** Keys of virtual ports and their backends have parts that begin at multiples of four bytes; others are addresses. */
function keyText(object: string, key: Uint8Array): string {
  if (!/^(virtual|services|backends)/.test(object)) return addressText(key);
  const host = object.endsWith('6') ? 16 : 4;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const protocol = PROTOCOL_NAMES[key[host] ?? 0] ?? '?';
  const parts = [addressText(key.subarray(0, host)), protocol, String(view.getUint16(host + 4))];
  if (!object.startsWith('backends')) return parts.join(' ');
  // In the machine's own byte order.
  const [place = 0] = new Uint32Array(key.slice(host + 8, host + 12).buffer);
  return [...parts, String(place)].join(' ');
}

function backendText(value: Uint8Array | undefined): string {
  if (value === undefined) return '';
  const host = value.length - 4;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return `${addressText(value.subarray(0, host))} ${view.getUint16(host)}`;
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
