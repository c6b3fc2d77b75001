/**
 * Marks the sidecar's own connection to the injector: of what the pod sends there the gate lets nothing else begin. An app cannot
 * set a mark without NET_ADMIN or NET_RAW. In the bits that app legs are marked in, with another value.
 */
export const INJECTOR_MARK = 0x53b;
export const INJECTOR_MARK_MASK = 0xfff;
