/** Where the redirect leads to: the port that the proxy has, which may have changed since the init step. */
import type { RedirectConfig } from '../config.ts';
import { tryTool } from '../tools.ts';
import { applyRedirect } from './redirect.ts';
import { iptables } from './tools.ts';

/**
 * Has the rules lead to `config.inboundPort`, if they are there and lead to another port. Rules that are gone are left alone.
 * @returns whether they had to be changed
 * @throws SluiceError `REDIRECT_*`
 */
export async function leadRedirect(config: RedirectConfig): Promise<boolean> {
  const port = await portInForce();
  if (port === undefined || port === config.inboundPort) return false;
  await applyRedirect(config);
  return true;
}

/** The port that IPv4 is led to; `undefined` where no rule leads anywhere. */
async function portInForce(): Promise<number | undefined> {
  for (const backend of ['nft', 'legacy'] as const) {
    const args = backend === 'nft' ? ['-t', 'mangle'] : []; // as `chainsPresent` has it
    const saved = await tryTool(iptables(backend, 4, '-save'), args).catch(() => undefined);
    const [, port] = /^-A SLUICE_IN .*--on-port (\d+)/m.exec(saved?.stdout ?? '') ?? [];
    if (port !== undefined) return Number(port);
  }
  return undefined;
}
