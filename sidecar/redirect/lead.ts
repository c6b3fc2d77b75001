/** Where the redirect leads to: the port that the proxy has, which may have changed since the init step. */
import type { Family } from '../../native/index.ts';
import { kernelFamilies, tryTool } from '../kernel/index.ts';
import { translatedRange } from './rules.ts';
import { type Backend, iptables, runTool } from './tools.ts';

/** The tables with rules that name the port. */
const TABLES = ['nat', 'mangle'] as const;

/** What names it: TPROXY, and the range of the translation of `SLUICE_MET`; as iptables-save writes them. */
const PORTS = /(?<=^-A SLUICE_.* --)(on-port|to-ports) [\d-]+/gm;

/**
 * Has the rules of each family lead to this port, if they are there and lead to another one. Nothing else of them changes, and
 * rules that are gone are left alone.
 * @returns whether they had to be changed
 * @throws SluiceError `REDIRECT_*`
 */
export async function leadRedirect(port: number): Promise<boolean> {
  const places = (['nft', 'legacy'] as const).flatMap((backend) =>
    kernelFamilies().map((family) => [backend, family] as const),
  );
  let changed = false;
  const failures: unknown[] = [];
  for (const [backend, family] of places) {
    try {
      changed = (await lead(backend, family, port)) || changed;
    } catch (error) {
      failures.push(error); // the other family is not to wait for it
    }
  }
  if (failures.length > 0) throw failures[0];
  return changed;
}

async function lead(backend: Backend, family: Family, port: number): Promise<boolean> {
  const own = await ownRules(backend, family);
  const led = own.replaceAll(
    PORTS,
    (_, option) => `${option} ${option === 'on-port' ? port : translatedRange(port)}`,
  );
  if (led === own) return false;
  await runTool(iptables(backend, family, '-restore'), ['-w', '--noflush'], led);
  return true;
}

/** Our chains and their rules, as iptables-restore --noflush takes them; no table without one of them. */
async function ownRules(backend: Backend, family: Family): Promise<string> {
  const program = iptables(backend, family, '-save');
  // The legacy back end would create a table that it is asked for by name.
  const asked = backend === 'nft' ? TABLES.map((table) => ['-t', table]) : [[]];
  let text = '';
  for (const args of asked) text += (await tryTool(program, args).catch(() => undefined))?.stdout ?? '';
  return TABLES.map((table) => {
    const [, body = ''] = new RegExp(`^\\*${table}\\n([^]*?)^COMMIT$`, 'm').exec(text) ?? [];
    const lines = body.split('\n').filter((line) => /^(?::|-A )SLUICE_/.test(line));
    return lines.length === 0 ? '' : [`*${table}`, ...lines, 'COMMIT', ''].join('\n');
  }).join('');
}
