/** Words of the network that every part uses. */

/** IP version of an address or a socket. */
export type Family = 4 | 6;

/** An address and a port; the address is in canonical text. */
export interface AddressPort {
  readonly address: string;
  readonly port: number;
}

/** Every protocol that a policy can name. Source: core v1 `Protocol`. */
export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;

/** The highest port number. Source: RFC 9293, 3.1. */
export const MAX_PORT = 65_535;

/** Whether it is the number of a port that can be asked for: a whole number from 1 to `MAX_PORT`. */
export function isPort(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= MAX_PORT;
}

/** The IP version of an address in any of its written forms. What is no address has none: check it before. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** Address and port in one text, an IPv6 address in brackets: `10.0.0.1:80`, `[fd00::1]:80`. Source: RFC 3986, 3.2.2. */
export function addressPortText({ address, port }: AddressPort): string {
  return `${familyOf(address) === 6 ? `[${address}]` : address}:${port}`;
}
