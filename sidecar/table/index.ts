/** The face of `sidecar/table/`: what other parts may use. */

export { Enforcement } from './enforcement.ts';
export { TableFile } from './file.ts';
export { InjectorLink } from './injector_link.ts';
export { type LiveFlow, LiveTable, type Revocation } from './live_table.ts';
export { type Owner, Owners } from './owners.ts';
export { type StreamEvents, TableStream } from './stream.ts';
export { type TlsSource, tlsTransport } from './tls_transport.ts';
export { localTransport, type Transport } from './transport.ts';
