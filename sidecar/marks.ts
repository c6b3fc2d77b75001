/**
 * Packet and connection marks of the sidecar. Other meshes and kube-proxy (0x4000, 0x8000) leave these values alone; the
 * mask keeps their bits.
 */

/** Bits that are ours. */
export const MARK_MASK = 0xfff;

/** The app leg of an inbound flow: on the sidecar's socket, saved to the connection, restored on the app's answers. */
export const APP_LEG_MARK = 0x539;

/** A connection that the pod opened and the proxy has: its packets are routed to lo, where TPROXY takes them. */
export const OUTBOUND_FLOW_MARK = 0x53a;

/** The sidecar's own leg of an outbound flow: it passes the gate, for the flow has been judged. */
export const OUTBOUND_LEG_MARK = 0x53b;
