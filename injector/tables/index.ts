/** The face of `injector/tables/`: what other parts may use. */

export { startLocalServer } from './local_server.ts';
export { type ServerStatus, type SidecarStatus, TableServer, type TableServerOptions } from './server.ts';
export { whyNoSubject } from './subject.ts';
export { startTlsServer } from './tls_server.ts';
