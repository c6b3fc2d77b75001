/** The families of addresses that the kernel has. */
import { existsSync } from 'node:fs';

/** Those that it has, switched on or not. */
export function kernelFamilies(): readonly (4 | 6)[] {
  // A kernel without IPv6 has no settings for it. Where it is only switched off, it may be switched on later.
  return existsSync('/proc/sys/net/ipv6') ? [4, 6] : [4];
}
