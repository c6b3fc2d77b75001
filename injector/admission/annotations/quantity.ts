/** Resource quantities, as much of them as sidecars need. Source: apimachinery `resource.Quantity`. */

/** Resources that a sidecar's container asks for. */
export type ResourceName = 'cpu' | 'memory';

const QUANTITY = /^(\d+(?:\.\d+)?)(m|k|M|G|Ki|Mi|Gi)?$/;

const FACTORS: Readonly<Record<string, number>> = {
  m: 0.001,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};

/** Node does not start in less; a limit by mistake (`64` for `64Mi`) shows as a pod that never comes up. Bytes. */
const LEAST_MEMORY_BYTES = 48 * 1024 ** 2;

/** Cores or bytes. NaN when it is no quantity. */
export function quantityValue(text: string): number {
  const match = QUANTITY.exec(text);
  if (match === null) return Number.NaN;
  return Number(match[1]) * (match[2] === undefined ? 1 : (FACTORS[match[2]] ?? Number.NaN));
}

/** What is wrong with a quantity of a resource, as the end of a sentence; undefined when it can be used. */
export function resourceProblem(resource: ResourceName, text: string): string | undefined {
  const value = quantityValue(text);
  if (resource === 'cpu')
    return value > 0 && !/[A-Zk]/.test(text) ? undefined : 'wants cores such as 100m or 0.5';
  if (Number.isNaN(value) || text.endsWith('m')) return 'wants bytes such as 128Mi';
  return value >= LEAST_MEMORY_BYTES ? undefined : 'wants at least 48Mi, which the sidecar needs to start';
}
