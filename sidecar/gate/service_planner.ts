/** A Service is its backends: the kernel of the pod itself picks one of those that policy lets it reach. */
import type { Backend, Protocol, Table, VirtualPort } from '../../policy/index.ts';
import { admits } from './access.ts';
import { type Backends, familyOf, NO_BACKEND, type ServicePlan } from './plan.ts';
import type { NamedAccess } from './rule_sets.ts';
import { shortHash } from './short_hash.ts';

/** One virtual port, planned. */
interface Choice {
  readonly port: VirtualPort;
  /** `10.96.0.10 . tcp . 80` */
  readonly key: string;
  readonly id: string;
  readonly backends: Backends;
  /** How it is told of where policy allows some ready backends only. */
  readonly mixed: string | undefined;
}

/** Plans the Services of one table after the other, with the same rules. */
export class ServicePlanner {
  readonly #untranslated: string | undefined;
  #services: Table['services'] | undefined;
  #choices = new Map<string, Choice>();
  #plan: ServicePlan | undefined;

  /** @param untranslated key of a virtual port that is left to the node: the one that tables come from */
  constructor(untranslated?: string) {
    this.#untranslated = untranslated;
  }

  /** To be called when rules or the pod's own addresses have changed: nothing known holds any more. */
  forget(): void {
    this.#choices = new Map();
    this.#services = undefined;
  }

  /**
   * @param touched addresses whose access may have changed since the last plan; `undefined` after `forget`
   * @param accessOf the ports of an address that may be reached
   */
  plan(
    table: Table,
    touched: ReadonlySet<string> | undefined,
    accessOf: (address: string) => NamedAccess,
  ): ServicePlan {
    const { services, subject } = table;
    const isTouched = ({ address }: Backend) => touched?.has(address) === true;
    if (this.#plan !== undefined && this.#services === services && touched?.size === 0) return this.#plan;
    const always = new Set([...subject.ips, ...subject.nodeIPs]);
    const reaches = (address: string, protocol: Protocol, port: number): boolean =>
      always.has(address) || admits(accessOf(address).access, protocol, port);
    const choices = new Map<string, Choice>();
    let isSame = this.#services !== undefined;
    for (const [key, port] of Object.entries(services)) {
      // Its backends of today are not those of the day when the pod can ask again.
      if (key === this.#untranslated) continue;
      const known = this.#choices.get(key);
      const holds = known?.port === port && !port.backends.some(isTouched);
      const choice = known !== undefined && holds ? known : choose(key, port, subject.uid, reaches);
      if (choice.id !== known?.id || choice.mixed !== known.mixed) isSame = false;
      choices.set(key, choice);
    }
    isSame &&= choices.size === this.#choices.size;
    this.#services = services;
    this.#choices = choices;
    if (this.#plan === undefined || !isSame) this.#plan = planOf(choices);
    return this.#plan;
  }
}

function choose(
  key: string,
  port: VirtualPort,
  client: string,
  reaches: (address: string, protocol: Protocol, port: number) => boolean,
): Choice {
  const [address = '', target = ''] = key.split(' ');
  const [protocol = '', number = ''] = target.split('/');
  const { backends: ready, affinitySeconds } = port;
  const reachable = ready.filter((one) => reaches(one.address, protocol as Protocol, one.port));
  // This pod is the only client: affinity is one backend, the same as long as the backends are.
  const list = affinitySeconds === undefined ? reachable : onlyOne(reachable, `${client} ${key}`);
  const word = protocol.toLowerCase() as Backends['protocol'];
  const backends = { family: familyOf(address), protocol: word, list };
  const isMixed = reachable.length > 0 && reachable.length < ready.length;
  return {
    port,
    key: `${address} . ${word} . ${number}`,
    id: list.length === 0 ? NO_BACKEND : shortHash(backendsText(backends)),
    backends,
    mixed: isMixed ? `${port.namespace}/${port.name} ${key}` : undefined,
  };
}

function planOf(choices: ReadonlyMap<string, Choice>): ServicePlan {
  const virtual = { 4: new Map<string, string>(), 6: new Map<string, string>() };
  const byId = new Map<string, Backends>();
  const mixed: string[] = [];
  for (const { key, id, backends, mixed: told } of choices.values()) {
    virtual[backends.family].set(key, id);
    if (id !== NO_BACKEND) byId.set(id, backends);
    if (told !== undefined) mixed.push(told);
  }
  return { virtual, backends: byId, mixed };
}

/** One of the backends, for a key the same as long as it is there: others may come and go. */
function onlyOne(backends: Backends['list'], key: string): Backends['list'] {
  const weighed = backends.map((one) => ({ one, weight: shortHash(`${key} ${one.address} ${one.port}`) }));
  weighed.sort((a, b) => (a.weight < b.weight ? -1 : 1));
  return weighed.slice(0, 1).map(({ one }) => one);
}

function backendsText({ family, protocol, list }: Backends): string {
  return `${family} ${protocol} ${list.map(({ address, port }) => `${address} ${port}`).join()}`;
}
