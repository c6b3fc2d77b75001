/** Leads inbound TCP connections to the sidecar (TPROXY), and checks that the rules for it are there. */

export type { AppliedRedirect } from './applied_redirect.ts';
export { Canary, type CanaryContext } from './canary.ts';
export { leadRedirect } from './lead.ts';
export {
  ALL_PROXY,
  asksFor,
  hasDirect,
  hasFallenBack,
  isDirect,
  type Paths,
  pathsText,
  pathUse,
} from './paths.ts';
export { applyRedirect, removeRedirect } from './redirect.ts';
export type { RedirectConfig } from './redirect_config.ts';
export { type Chain, chains, listenerAddress } from './rules.ts';
export { pathsInForce, pathsToKeep, verifyRedirect } from './verify.ts';
