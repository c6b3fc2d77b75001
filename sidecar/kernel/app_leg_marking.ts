/** What app legs are known by: the redirect's rules and the relays have to agree on it. */

/**
 * Marks the app leg: set on the sidecar's socket, saved to the connection, restored on the app's answers.
 * Any value other meshes and kube-proxy (0x4000, 0x8000) leave alone; the mask of the rules keeps their bits.
 */
export const APP_LEG_MARK = 0x539;

/**
 * Ports that app legs are dialled from: below the ephemeral range of most clients (Linux 32768-60999). Where a client uses one
 * all the same, the kernel gives the leg another, or the client's SYN another way in (docs/adr/0020).
 */
export const APP_LEG_PORTS = { first: 10_000, last: 32_767 } as const;
