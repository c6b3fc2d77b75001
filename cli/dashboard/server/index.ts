/** The server on the user's machine: who may ask, and what it answers. */

export { type DashboardServer, type Shown, type ShownFlows, startDashboardServer } from './server.ts';
