/** The face of `sidecar/admin/`: what other parts may use. */

export { adminServers } from './admin.ts';
export { AdminPort } from './admin_port.ts';
