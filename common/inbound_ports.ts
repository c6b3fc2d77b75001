/** The ports that connections come to the sidecar's proxy by; one number, `SLUICE_INBOUND_PORT`, names them all. */
import { MAX_PORT } from './net.ts';

/**
 * How many connections of one client address and port the proxy can have at once, to different ports of the pod, that came by
 * translation: each needs a port of its own, as nothing else distinguishes them.
 */
const TRANSLATED = 8;

/** How far they are from the inbound port: with its default, they follow the sidecar's other ports, and no mesh has them. */
const DISTANCE = 16;

/** The highest inbound port. */
export const LAST_INBOUND_PORT = MAX_PORT - DISTANCE - TRANSLATED + 1;

/** The ports that a translation of the redirect leads to, in order; with the usual inbound port 15022 to 15029. */
export function translatedPorts(inboundPort: number): readonly number[] {
  return Array.from({ length: TRANSLATED }, (_, index) => inboundPort + DISTANCE + index);
}

/** Whether it is one of `translatedPorts`. */
export function isTranslatedPort(inboundPort: number, port: number): boolean {
  const index = port - inboundPort - DISTANCE;
  return index >= 0 && index < TRANSLATED;
}

/** Whether it is one of `inboundPorts`. */
export function isInboundPort(inboundPort: number, port: number): boolean {
  return port === inboundPort || isTranslatedPort(inboundPort, port);
}

/** All ports of the proxy: what TPROXY delivers to, and `translatedPorts`. */
export function inboundPorts(inboundPort: number): readonly number[] {
  return [inboundPort, ...translatedPorts(inboundPort)];
}
