/** No rules and no proxy: what everything else is compared with. */
import type { Path } from '../rig/path.ts';

/** The client reaches the app as it is. */
export const DIRECT: Path = {
  name: 'direct',
  label: 'direct',
  policies: 0,
  prepare: async () => undefined,
};
