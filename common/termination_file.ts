/** What the hook of the sidecar's container and the sidecar agree on. */

/** File in SLUICE_STATE_DIR. When it was last modified is when the termination of the pod began. */
export const TERMINATION_FILE = 'terminating';
