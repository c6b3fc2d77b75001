/**
 * What runtimes give every container unless it drops it. With NET_RAW a process of user 0 sends packets that no rule of its
 * pod sees (AF_XDP), sets the sidecar's mark, and listens where only the sidecar may (IP_TRANSPARENT). Source:
 * capabilities(7), packet(7), socket(7).
 */
import { fieldsOf } from '../../../common/shape.ts';
import type { ApiObject } from '../pod/index.ts';

const CAPABILITY = 'NET_RAW';
/** Exactly so. Not `CAP_NET_RAW`: runtimes put the prefix before each name, and drop nothing of that one. */
const DROPPING_IT: readonly unknown[] = ['ALL', CAPABILITY];

/** The container, from which NET_RAW is dropped. It adds none: that is refused. */
export function withoutRawSockets(container: ApiObject): ApiObject {
  const security = fieldsOf(container.securityContext);
  const capabilities = fieldsOf(security.capabilities);
  const drop = Array.isArray(capabilities.drop) ? capabilities.drop : [];
  if (drop.some((name) => DROPPING_IT.includes(name))) return container;
  return {
    ...container,
    securityContext: { ...security, capabilities: { ...capabilities, drop: [...drop, CAPABILITY] } },
  };
}
