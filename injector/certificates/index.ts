/** The face of `injector/certificates/`: what other parts may use. */

export { startCertificates } from './certificates.ts';
export { issueCa, issueServing } from './issue.ts';
export { INJECTOR_SERVICE } from './names.ts';
