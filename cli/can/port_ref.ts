/** How people write the port of a flow: `8080`, `53/UDP`, `http`. */

import { SluiceError } from '../../common/errors.ts';
import { isPort, MAX_PORT, PROTOCOLS } from '../../common/net.ts';
import type { Endpoint, Protocol, Service, ServicePort } from '../../policy/index.ts';

/** A port as it was written; a string is the name of a port that the destination declares. */
export interface PortRef {
  readonly port: number | string;
  /** TCP where none was written. */
  readonly protocol: Protocol;
  readonly protocolWritten: boolean;
}

/** `IANA_SVC_NAME`, what the API accepts as a port's name: at most 15 of a-z, 0-9 and -, at least one letter. */
const PORT_NAME = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/;

/**
 * @param protocol where it is given apart (`--batch`); it must not contradict one in `text`.
 * @throws SluiceError `PORT_INVALID`.
 */
export function parsePortRef(text: string, protocol?: string): PortRef {
  const [portText = '', protocolText, ...rest] = text.split('/');
  if (rest.length > 0) throw invalid(`'${text}' is not PORT or PORT/PROTO`);
  const inText = protocolText === undefined ? undefined : parseProtocol(protocolText);
  const apart = protocol === undefined ? undefined : parseProtocol(protocol);
  if (inText !== undefined && apart !== undefined && inText !== apart) {
    throw invalid(`port '${text}' contradicts protocol '${protocol}'`);
  }
  const written = inText ?? apart;
  return { port: parsePort(portText), protocol: written ?? 'TCP', protocolWritten: written !== undefined };
}

/**
 * The number a port has at the destination.
 * @param name what the destination is called in messages
 * @throws SluiceError `PORT_UNKNOWN` when the destination does not declare a port of that name and protocol.
 */
export function resolvePort(ref: PortRef, destination: Endpoint, name: string): number {
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
    `${name} has no ${ref.protocol} port named '${ref.port}'; its named ports: ${known}`,
  );
}

/** The port of a Service that is meant: a number or a name of its own, not of its pods. A name gives the protocol too. */
export function servicePort(ref: PortRef, service: Service): ServicePort | undefined {
  return service.ports.find(
    (port) =>
      (typeof ref.port === 'number' ? port.port === ref.port : port.name === ref.port) &&
      (port.protocol === ref.protocol || (typeof ref.port === 'string' && !ref.protocolWritten)),
  );
}

/**
 * The same of a Service that has it.
 * @throws SluiceError `PORT_UNKNOWN` naming those that it has
 */
export function findServicePort(ref: PortRef, service: Service): ServicePort {
  const found = servicePort(ref, service);
  if (found !== undefined) return found;
  const known = service.ports.map(
    ({ name, port, protocol, targetPort }) =>
      `${port}/${protocol}${name === undefined ? '' : ` ${name}`} (to ${targetPort})`,
  );
  throw new SluiceError(
    'PORT_UNKNOWN',
    `Service ${service.namespace}/${service.name} has no port ${ref.port}/${ref.protocol}; ` +
      `its ports: ${known.join(', ') || 'none'}`,
  );
}

function parsePort(text: string): number | string {
  if (/^\d+$/.test(text)) {
    const port = Number(text);
    if (isPort(port)) return port;
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
