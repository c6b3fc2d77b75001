/** The admin port: health and metrics for everybody, inspection for those inside the pod. */

export { type AdminPages, adminServers } from './admin.ts';
export { AdminPort, type AdminPortContext } from './admin_port.ts';
