/** Services as elements of the gate's maps, in slices that one transaction can hold and that are right one by one. */
import { hostUint32 } from '../../../native/index.ts';
import type { Backend, Protocol } from '../../../policy/index.ts';
import { addressBytes, ELEMENTS_MAX, type ElementChange } from '../../kernel/index.ts';
import type { PlannedPort, ServicePlan } from '../plan/index.ts';
import { pickChain } from './service_rules.ts';

const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

interface Change {
  readonly object: string;
  readonly removed: Uint8Array[];
  readonly added: ElementChange['added'][number][];
}

/** What one transaction changes. */
class Slice {
  readonly #changes = new Map<string, Change>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get changes(): readonly ElementChange[] {
    return [...this.#changes.values()];
  }

  remove(object: string, key: Uint8Array): void {
    this.#of(object).removed.push(key);
  }

  add(object: string, element: ElementChange['added'][number]): void {
    this.#of(object).added.push(element);
  }

  #of(object: string): Change {
    this.#count += 1;
    const known = this.#changes.get(object) ?? { object, removed: [], added: [] };
    this.#changes.set(object, known);
    return known;
  }
}

/** What leads from one plan to the next. All of one virtual port is in one slice: no packet finds half of it. */
export function* serviceSlices(
  before: ServicePlan,
  after: ServicePlan,
): Generator<readonly ElementChange[], void, void> {
  if (before === after) return;
  let slice = new Slice();
  for (const [, was, is] of after.ports.since(before.ports)) {
    changePort(slice, was, is);
    if (slice.count < ELEMENTS_MAX) continue;
    yield slice.changes;
    slice = new Slice();
  }
  if (slice.count > 0) yield slice.changes;
}

function changePort(slice: Slice, before: PlannedPort | undefined, after: PlannedPort | undefined): void {
  const port = after ?? before;
  if (port === undefined) return;
  const { family } = port;
  const key = portBytes(port);
  const [old, now] = [before?.backends ?? [], after?.backends ?? []];
  if (before === undefined) slice.add(`services${family}`, { key });
  if (after === undefined) slice.remove(`services${family}`, key);
  if (old.length !== now.length) {
    if (old.length > 0) slice.remove(`virtual${family}`, key);
    if (now.length > 0) slice.add(`virtual${family}`, { key, chain: pickChain(now.length) });
  }
  for (let place = 0; place < Math.max(old.length, now.length); place += 1) {
    const [was, is] = [old[place], now[place]];
    if (was !== undefined && is !== undefined && was.address === is.address && was.port === is.port) continue;
    const placed = placeBytes(key, place);
    if (was !== undefined) slice.remove(`backends${family}`, placed);
    if (is !== undefined) slice.add(`backends${family}`, { key: placed, value: backendBytes(is) });
  }
}

/** `10.96.0.10 . tcp . 80`: each part begins at a multiple of four bytes. */
function portBytes({ address, protocol, port }: PlannedPort): Uint8Array {
  const host = addressBytes(address);
  const bytes = new Uint8Array(host.length + 8);
  bytes.set(host);
  bytes[host.length] = PROTOCOL_NUMBERS[protocol];
  writePort(bytes, host.length + 4, port);
  return bytes;
}

/** The drawn number is in the machine's own byte order, as the kernel draws it. */
function placeBytes(key: Uint8Array, place: number): Uint8Array {
  const bytes = new Uint8Array(key.length + 4);
  bytes.set(key);
  bytes.set(hostUint32(place), key.length);
  return bytes;
}

function backendBytes({ address, port }: Backend): Uint8Array {
  const host = addressBytes(address);
  const bytes = new Uint8Array(host.length + 4);
  bytes.set(host);
  writePort(bytes, host.length, port);
  return bytes;
}

function writePort(bytes: Uint8Array, at: number, port: number): void {
  bytes[at] = port >>> 8;
  bytes[at + 1] = port & 0xff;
}
