/** The injector's CA and serving certificate: made, kept in a Secret, renewed, and published to the namespaces. */

export { startCertificates } from './certificates.ts';
export { issueCa, issueServing } from './issue.ts';
export { INJECTOR_SERVICE } from './names.ts';
