/** The face of `sidecar/admin/`: what other parts may use. */

export { type AdminPages, adminServers } from './admin.ts';
export { AdminPort, type AdminPortContext } from './admin_port.ts';
