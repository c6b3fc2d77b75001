/** Runs iptables and ip, and picks the iptables back end that the kernel of this pod really has. */

import { readFile } from 'node:fs/promises';
import { codeOf } from '../../common/errno.ts';
import { type ErrorCode, SluiceError } from '../../common/errors.ts';
import type { Family } from '../../native/index.ts';
import { tryTool } from '../kernel/index.ts';

/** An iptables back end. */
export type Backend = 'nft' | 'legacy';

/**
 * Runs a tool that has to succeed.
 * @throws SluiceError `REDIRECT_*` saying what is missing.
 */
export async function runTool(command: string, args: readonly string[], input = ''): Promise<string> {
  const result = await tryTool(command, args, input);
  if (result.status === 0) return result.stdout;
  throw toolError(command, args, result.stderr);
}

/** The name of an iptables program: `iptables('nft', 6, '-save')` is `ip6tables-nft-save`. */
export function iptables(backend: Backend, family: Family, suffix: '' | '-save' | '-restore' = ''): string {
  return `ip${family === 6 ? '6' : ''}tables-${backend}${suffix}`;
}

/** A back end, and why it was chosen. */
export interface ChosenBackend {
  readonly backend: Backend;
  readonly because: string;
}

/**
 * Legacy if legacy rules are already there (two back ends in one namespace surprise everybody), else nft. Whether the kernel has
 * that shows when the rules go in: see `otherBackend`.
 */
export async function chooseBackend(wanted: Backend | 'auto'): Promise<ChosenBackend> {
  if (wanted !== 'auto') return { backend: wanted, because: 'configured' };
  if (await hasLegacyRules()) return { backend: 'legacy', because: 'legacy rules are already there' };
  return { backend: 'nft', because: 'no legacy rules are there' };
}

/** What to try when a back end has refused the rules: legacy, where nft takes no rule at all and nobody has configured it. */
export async function otherBackend(
  wanted: Backend | 'auto',
  { backend }: ChosenBackend,
): Promise<ChosenBackend | undefined> {
  if (wanted !== 'auto' || backend !== 'nft') return undefined;
  const probe = `SLUICE_PROBE_${process.pid}`;
  const text = `*mangle\n:${probe} - [0:0]\n-A ${probe} -j RETURN\n-F ${probe}\n-X ${probe}\nCOMMIT\n`;
  const added = await tryTool(iptables('nft', 4, '-restore'), ['--noflush', '-w'], text).catch(
    () => undefined,
  );
  if (added?.status !== 0) return { backend: 'legacy', because: 'the nft back end refuses a no-op rule' };
  return undefined;
}

/** The tables that the legacy back end has in this network namespace, a line each; there is no such file where it has none. */
const LEGACY_TABLES = '/proc/net/ip_tables_names';

/** Whether the kernel says that the legacy back end has no table here: then it has no rules, and no tool has to be asked. */
export async function hasNoLegacyTables(): Promise<boolean> {
  const tables = await readFile(LEGACY_TABLES, 'utf8').catch((error: unknown) =>
    codeOf(error) === 'ENOENT' ? '' : 'unknown',
  );
  return tables === '';
}

async function hasLegacyRules(): Promise<boolean> {
  if (await hasNoLegacyTables()) return false;
  const saved = await tryTool(iptables('legacy', 4, '-save'), []).catch(() => undefined);
  return saved?.status === 0 && /^-A /m.test(saved.stdout);
}

/** stderr of the tools, as our codes. Patterns: iptables 1.8, iproute2 6. */
const FAILURES: readonly { pattern: RegExp; code: ErrorCode; hint: string }[] = [
  {
    pattern: /permission denied|operation not permitted|you must be root/i,
    code: 'REDIRECT_CAPABILITY_MISSING',
    hint: 'the capability NET_ADMIN is needed; legacy also needs NET_RAW, which SLUICE_SIDECAR_IPTABLES=legacy of the injector gives',
  },
  {
    pattern:
      /no chain\/target\/match|not supported|missing kernel module|protocol not supported|no such file/i,
    code: 'REDIRECT_KERNEL_UNSUPPORTED',
    hint: 'the kernel needs xt_TPROXY, xt_conntrack, xt_connmark, xt_mark and nf_conntrack',
  },
];

/** What a tool's failure means. */
export function toolError(command: string, args: readonly string[], stderr: string): SluiceError {
  const text = stderr.trim().replaceAll('\n', '; ') || 'no message';
  const failure = FAILURES.find(({ pattern }) => pattern.test(stderr));
  const hint = failure?.hint ?? 'unexpected; please report it';
  return new SluiceError(
    failure?.code ?? 'REDIRECT_INCOMPLETE',
    `${[command, ...args].join(' ')} failed: ${text}: ${hint}`,
  );
}
