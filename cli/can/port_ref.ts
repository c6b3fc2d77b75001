/** How people write the port of a flow: `8080`, `53/UDP`, `http`. */
import { SluiceError } from '../../policy/errors.ts';
import type { Endpoint, Protocol } from '../../policy/index.ts';

/** A port as it was written; a string is the name of a port that the destination declares. */
export interface PortRef {
  readonly port: number | string;
  readonly protocol: Protocol;
}

const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP', 'SCTP'];
const MAX_PORT = 65_535;

/** `IANA_SVC_NAME`, what the API accepts as a port's name: at most 15 of a-z, 0-9 and -, at least one letter. */
const PORT_NAME = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/;

/**
 * @param protocol where it is given apart (`--batch`); it must not contradict one in `text`.
 * @throws SluiceError `PORT_INVALID`.
 */
export function parsePortRef(text: string, protocol?: string): PortRef {
  const [portText = '', written, ...rest] = text.split('/');
  if (rest.length > 0) throw invalid(`'${text}' is not PORT or PORT/PROTO`);
  const inText = written === undefined ? undefined : parseProtocol(written);
  const apart = protocol === undefined ? undefined : parseProtocol(protocol);
  if (inText !== undefined && apart !== undefined && inText !== apart) {
    throw invalid(`port '${text}' contradicts protocol '${protocol}'`);
  }
  return { port: parsePort(portText), protocol: inText ?? apart ?? 'TCP' };
}

/**
 * The number a port has at the destination.
 * @throws SluiceError `PORT_UNKNOWN` when the destination does not declare a port of that name and protocol.
 */
export function resolvePort(ref: PortRef, destination: Endpoint): number {
  if (typeof ref.port === 'number') return ref.port;
  if (destination.kind === 'address') {
    throw new SluiceError(
      'PORT_UNKNOWN',
      `port '${ref.port}' is a name, and only a pod gives names to its ports`,
    );
  }
  const { pod } = destination;
  const found = pod.ports.find((port) => port.name === ref.port && port.protocol === ref.protocol);
  if (found !== undefined) return found.port;
  const named = pod.ports.filter((port) => port.name !== undefined);
  const known = named.map((port) => `${port.name} (${port.port}/${port.protocol})`).join(', ') || 'none';
  throw new SluiceError(
    'PORT_UNKNOWN',
    `${pod.namespace}/${pod.name} has no ${ref.protocol} port named '${ref.port}'; its named ports: ${known}`,
  );
}

function parsePort(text: string): number | string {
  if (/^\d+$/.test(text)) {
    const port = Number(text);
    if (port >= 1 && port <= MAX_PORT) return port;
    throw invalid(`port '${text}' is not in 1-${MAX_PORT}`);
  }
  if (PORT_NAME.test(text)) return text;
  throw invalid(`'${text}' is neither a port number nor a port's name`);
}

function parseProtocol(text: string): Protocol {
  const found = PROTOCOLS.find((protocol) => protocol === text.toUpperCase());
  if (found === undefined) throw invalid(`protocol '${text}' is not one of ${PROTOCOLS.join(', ')}`);
  return found;
}

function invalid(message: string): SluiceError {
  return new SluiceError('PORT_INVALID', message);
}
