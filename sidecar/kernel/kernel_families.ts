/** The families of addresses that the kernel has. */
import { existsSync, readFileSync } from 'node:fs';

/** The families that the kernel has, whether they are switched on here or not. */
export function kernelFamilies(): readonly (4 | 6)[] {
  // A kernel without IPv6 has no settings for it. Where it is only switched off, it may be switched on later.
  return existsSync('/proc/sys/net/ipv6') ? [4, 6] : [4];
}

/** Whether a family is switched on here: `lo` then has an address of it. */
export function isSwitchedOn(family: 4 | 6): boolean {
  if (family === 4) return true;
  try {
    return readFileSync('/proc/self/net/if_inet6', 'utf8').trim() !== '';
  } catch {
    return false; // a kernel without IPv6
  }
}
