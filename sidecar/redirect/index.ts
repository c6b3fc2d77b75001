/** The face of `sidecar/redirect/`: what other parts may use. */

export { Canary, type CanaryContext } from './canary.ts';
export { leadRedirect } from './lead.ts';
export { applyRedirect, removeRedirect } from './redirect.ts';
export type { RedirectConfig } from './redirect_config.ts';
export { type Chain, chains, listenerAddress, restoreText } from './rules.ts';
export { verifyRedirect } from './verify.ts';
