/** Which Service an address and port stand for, and who is behind it. */
import type { EndpointSlice, Service } from '../../../policy/index.ts';

/** A Service that was asked for. */
export interface AskedService {
  /** `namespace/name` */
  readonly key: string;
  /** Port of its backends; undefined: none is known, or they have several. */
  readonly port: number | undefined;
  /** Addresses of backends: some of each slice. */
  readonly backends: readonly string[];
}

/** Takes in Services and EndpointSlices as they change. */
export class ServiceNames {
  readonly #services = new Map<string, Service>();
  readonly #byAddress = new Map<string, string>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** Keys of the slices of each Service. */
  readonly #slicesOf = new Map<string, Set<string>>();

  putService(key: string, service: Service | undefined): void {
    for (const address of addressesOf(this.#services.get(key)))
      if (this.#byAddress.get(address) === key) this.#byAddress.delete(address);
    if (service === undefined) this.#services.delete(key);
    else this.#services.set(key, service);
    for (const address of addressesOf(service)) this.#byAddress.set(address, key);
  }

  putSlice(key: string, slice: EndpointSlice | undefined): void {
    const before = serviceOf(this.#slices.get(key));
    if (before !== undefined) {
      const keys = this.#slicesOf.get(before);
      keys?.delete(key);
      if (keys?.size === 0) this.#slicesOf.delete(before);
    }
    const service = serviceOf(slice);
    if (slice === undefined || service === undefined) {
      this.#slices.delete(key);
      return;
    }
    this.#slices.set(key, slice);
    const keys = this.#slicesOf.get(service) ?? new Set();
    this.#slicesOf.set(service, keys.add(key));
  }

  /** The Service at an address, with any port. */
  find(address: string, protocol: string, port: number): AskedService | undefined {
    const key = this.#byAddress.get(address);
    const service = key === undefined ? undefined : this.#services.get(key);
    if (key === undefined || service === undefined) return undefined;
    const asked = service.ports.find((one) => one.port === port && one.protocol === protocol);
    const slices = [...(this.#slicesOf.get(key) ?? [])].flatMap((one) => this.#slices.get(one) ?? []);
    const ports = slices.flatMap((slice) =>
      slice.ports
        .filter((one) => one.name === asked?.name && one.protocol === protocol)
        .map((one) => one.port),
    );
    const [first] = ports;
    return {
      key,
      port: asked !== undefined && ports.every((one) => one === first) ? first : undefined,
      backends: slices.flatMap(({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses)),
    };
  }
}

function addressesOf(service: Service | undefined): readonly string[] {
  return [...(service?.clusterIPs ?? []), ...(service?.externalIPs ?? [])];
}

function serviceOf(slice: EndpointSlice | undefined): string | undefined {
  return slice?.service === undefined ? undefined : `${slice.namespace}/${slice.service}`;
}
