/** `sluice check`: what keeps pods from being injected and enforced, before and after Sluice is installed. */
export { runCheck } from './check.ts';
export { CHECK_CODE_LIST, CHECK_CODES } from './codes.ts';
