/** Tables with many Services, for a pod that policy lets go to all their backends. */
import { ServiceMap, type Table, type VirtualPort } from '../../policy/index.ts';
import { table as builtTable, withPolicies } from './tables.ts';

const POLICY = { namespace: 'shop', name: 'out' };
/** Ports of one Service. */
const PORTS = ['TCP/80', 'TCP/443', 'UDP/53'];

/**
 * Services of three ports each; every fourth has IPv6 addresses.
 * @param ports virtual ports of all of them
 */
export function servicesTable(ports: number, backends: number): Table {
  const entries = Array.from({ length: ports }, (_, i): [string, VirtualPort] => {
    const service = Math.floor(i / PORTS.length);
    const isIPv6 = service % 4 === 3;
    const address = isIPv6
      ? `fd00:96::${(service + 1).toString(16)}`
      : `10.96.${service >> 8}.${service & 255}`;
    const list = Array.from({ length: backends }, (__, j) => ({
      address: isIPv6
        ? `fd00:1::${(i * backends + j + 1).toString(16)}`
        : `10.1.${((i * backends + j) >> 8) & 255}.${(i * backends + j) & 255}`,
      port: 8080,
    }));
    return [
      `${address} ${PORTS[i % PORTS.length]}`,
      { namespace: 'shop', name: `s${service}`, backends: list },
    ];
  });
  const peers = ['0.0.0.0/0', '::/0'].map((cidr) => ({ kind: 'ipBlock', cidr, except: [] }) as const);
  const free = { ...builtTable({ revision: 1 }), services: ServiceMap.from(entries) };
  return withPolicies(free, { policy: POLICY, egress: [{ policy: POLICY, index: 0, ports: [], peers }] });
}

/** The next table: the virtual port at a place, in the order of their keys, has one more backend, or one less. */
export function withBackend(table: Table, place: number, address: string): Table {
  const [key = '', port] = [...table.services].sort(([a], [b]) => (a < b ? -1 : 1))[place] ?? [];
  if (port === undefined) throw new Error(`there are fewer than ${place} virtual ports`);
  const others = port.backends.filter((backend) => backend.address !== address);
  const backends = others.length < port.backends.length ? others : [...others, { address, port: 8080 }];
  const services = table.services.with([[key, { ...port, backends }]]);
  return { ...table, revision: table.revision + 1, services };
}
