/** All paths of the benchmarks. */

import type { Path } from '../rig/path.ts';
import { DIRECT } from './direct.ts';
import { envoy } from './envoy.ts';
import { haproxy } from './haproxy.ts';
import { KERNEL } from './kernel.ts';
import { DIRECT_VARIANTS, relays, sluice, sluiceDirect, sluiceWithPolicies } from './sluice.ts';

/** The path of Sluice with its default relay: what the targets are about. */
export const SLUICE = `sluice-${relays()[0]}`;

/** How many policies the `policies` figure compares. */
const POLICY_COUNTS: readonly number[] = [0, 200, 1000];

/** The paths that can be chosen. @param envoyBinary Envoy's program */
export function allPaths(envoyBinary: string): readonly Path[] {
  return [
    DIRECT,
    KERNEL,
    ...DIRECT_VARIANTS.map(sluiceDirect),
    ...relays().map(sluice),
    haproxy('splice'),
    haproxy('copy'),
    envoy(envoyBinary),
  ];
}

/** Sluice with more and more policies. */
export function policyPaths(): readonly Path[] {
  return POLICY_COUNTS.map(sluiceWithPolicies);
}
