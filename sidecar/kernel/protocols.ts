/** The protocols that policy knows, by their numbers in IP headers; in/protocol-numbers of IANA. */
import type { Protocol } from '../../policy/index.ts';

/** None for any other number. */
export const PROTOCOL_BY_NUMBER: Readonly<Record<number, Protocol>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };
