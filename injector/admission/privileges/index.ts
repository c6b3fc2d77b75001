/** What a pod may not be beside a sidecar: Pod Security's levels, and what would get past the sidecar. */

export {
  POD_SECURITY_LABEL,
  POD_SECURITY_LEVELS,
  type PodSecurityLevel,
  podSecurityLevel,
} from './pod_security.ts';
export { withoutRawSockets } from './raw_sockets.ts';
export { privileges, refusals } from './refusals.ts';
