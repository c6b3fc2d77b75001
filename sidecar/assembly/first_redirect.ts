/** A native sidecar puts the redirect and the closed gate in force itself, before all else: docs/adr/0044. */
import type { Logger } from 'pino';
import type { SidecarConfig } from '../config.ts';
import { areRulesThere } from '../gate/kernel/index.ts';
import { type AppliedRedirect, applyRedirect, pathsToKeep, verifyRedirect } from '../redirect/index.ts';
import { withPathsRead } from './paths_read.ts';

/**
 * Puts them in force, if that is this sidecar's task and they are not there yet: after a restart they are. Where they are there in
 * part, they keep the paths that were decided on, as connections of these paths may live on.
 * @returns what was put in force; undefined: all was there
 * @throws SluiceError as `applyRedirect`, or where it cannot be read which paths were decided on: decided again they might be others,
 * and nobody would end the direct connections that live on. The sidecar must not go on then
 */
export async function putRedirect(config: SidecarConfig, log: Logger): Promise<AppliedRedirect | undefined> {
  if (config.redirectBy === 'init') return undefined;
  if (await isThere(config)) {
    log.info('the redirect is in force already');
    return undefined;
  }
  const applied = await applyRedirect(config, await withPathsRead(() => pathsToKeep(config)));
  log.info(applied.redirect, 'redirect in force');
  return applied;
}

/** Where there is no gate nothing is there: that is asked first, as it starts no tool. */
async function isThere(config: SidecarConfig): Promise<boolean> {
  if (!(await areRulesThere(false))) return false;
  return await verifyRedirect(config).then(
    () => true,
    () => false,
  );
}
