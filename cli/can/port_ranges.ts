/** All ports, cut where policies and the destination tell them apart: within a range all get the same verdict. */
import { SluiceError } from '../../common/errors.ts';
import { MAX_PORT, PROTOCOLS } from '../../common/net.ts';
import type { Cluster, Protocol } from '../../policy/index.ts';
import type { BlockParty, Party, ServiceParty } from './endpoint_resolver.ts';

/** Ports of which one is judged. */
export interface PortRange {
  readonly protocol: Protocol;
  /** Both inclusive. */
  readonly first: number;
  readonly last: number;
  /** What the destination, or the Service, calls a single port. */
  readonly name?: string;
}

/** Ranges of one question. Each costs a judgement. */
const MAX_RANGES = 4_096;

/**
 * Of a Service its own ports; else ranges that cover 1 to 65535 of each protocol.
 * @throws SluiceError `INPUT_TOO_LARGE`
 */
export function portRanges(
  cluster: Cluster,
  source: Party | BlockParty,
  destination: Party | ServiceParty | BlockParty,
): readonly PortRange[] {
  if ('service' in destination)
    return destination.service.ports.map(({ protocol, port, name }) => range(protocol, port, port, name));
  const declared = 'pod' in destination ? (destination.pod?.ports ?? []) : [];
  const ranges = PROTOCOLS.flatMap((protocol) => {
    const own = declared.filter((port) => port.protocol === protocol);
    const names = new Map(own.map(({ port, name }) => [port, name]));
    const starts = new Set([
      1,
      ...own.flatMap(({ port }) => [port, port + 1]),
      ...[source, destination].flatMap((party) => namedByPolicies(cluster, party, protocol)),
    ]);
    const sorted = [...starts].filter((port) => port <= MAX_PORT).sort((a, b) => a - b);
    return sorted.map((first, at) => {
      const last = (sorted[at + 1] ?? MAX_PORT + 1) - 1;
      return range(protocol, first, last, first === last ? names.get(first) : undefined);
    });
  });
  if (ranges.length > MAX_RANGES)
    throw new SluiceError('INPUT_TOO_LARGE', `policies name more than ${MAX_RANGES} ports: ask about one`);
  return ranges;
}

function range(protocol: Protocol, first: number, last: number, name: string | undefined): PortRange {
  return { protocol, first, last, ...(name === undefined ? {} : { name }) };
}

/** Where the policies of a pod's namespace begin and end ranges of ports. */
function namedByPolicies(
  { policies }: Cluster,
  party: Party | BlockParty | ServiceParty,
  protocol: Protocol,
): readonly number[] {
  const namespace = 'pod' in party ? party.pod?.namespace : undefined;
  return [...policies.values()]
    .filter((policy) => policy.namespace === namespace)
    .flatMap(({ ingress, egress }) =>
      [...ingress, ...egress].flatMap(({ ports }) =>
        ports.flatMap(({ protocol: own, port, endPort }) =>
          own === protocol && typeof port === 'number' ? [port, (endPort ?? port) + 1] : [],
        ),
      ),
    );
}
