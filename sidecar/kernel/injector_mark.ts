/**
 * Marks the sidecar's own connection to the injector: the gate lets the pod open no other connection there. An app cannot set a
 * mark without NET_ADMIN or NET_RAW. The mark is in the same bits as that of app legs, with another value.
 */
export const INJECTOR_MARK = 0x53b;
export const INJECTOR_MARK_MASK = 0xfff;
