/** What every listener of the injector needs against strangers: bounds on connections, rates, handshakes and work. */

export { AddressRates } from './address_rates.ts';
export { ConnectionPlaces, type Place, type PlaceLimits } from './connection_places.ts';
export { HttpProblem, short } from './http_problem.ts';
export { PacedQueue } from './paced_queue.ts';
export { parseJson, readBody } from './request_body.ts';
export {
  type CertificateAndKey,
  followCertificate,
  type ServingCertificate,
  TLS_FORM,
} from './serving_certificate.ts';
export { type DoorLimits, putDoor } from './tls_door.ts';
export { HERD_BACKLOG, listenUnix } from './unix_listen.ts';
