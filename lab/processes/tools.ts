/** The system's tools that the lab calls, and what it needs before it can start. */

import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { runTool as runToEnd } from '../../common/run_tool.ts';
import { labMarks } from './marks.ts';

/** What has to be in PATH, and the Debian package that brings it. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  iptables: 'iptables',
  ip6tables: 'iptables',
  nft: 'nftables',
};

/** Folders of system tools that a user's PATH often lacks. */
const SYSTEM_FOLDERS: readonly string[] = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** There whenever the kernel has IPv6, even where interfaces have it turned off. */
const IPV6_SETTINGS = '/proc/sys/net/ipv6';

/** Longest part of a tool's complaint that goes into an error message, in characters. */
const COMPLAINT_MAX_LENGTH = 600;

/** Longest that a tool may take, ms: making a large lab's rules takes seconds on a busy machine. */
const TOOL_TIMEOUT_MS = 300_000;

/** How a tool ended that went over a bound. */
const ENDS = { time: `did not end within ${TOOL_TIMEOUT_MS} ms`, output: 'said too much' } as const;

/** PATH with the folders of system tools at its end. */
export function toolPath(): string {
  const own = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...new Set([...own, ...SYSTEM_FOLDERS])].join(delimiter);
}

/**
 * Checks that this process may build a lab.
 * @throws SluiceError `LAB_NOT_ROOT`, `LAB_KERNEL_UNSUPPORTED`, `LAB_TOOL_MISSING`
 */
export function checkPrerequisites(): void {
  checkRoot();
  if (!existsSync(IPV6_SETTINGS)) {
    throw new SluiceError(
      'LAB_KERNEL_UNSUPPORTED',
      `a lab needs IPv6 in the kernel, and ${IPV6_SETTINGS} is missing: boot without ipv6.disable=1, or load the module`,
    );
  }
  const missing = missingTools(toolPath());
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => TOOLS[tool]))].join(' ');
  throw new SluiceError(
    'LAB_TOOL_MISSING',
    `not found in PATH: ${missing.join(', ')}; install them (Debian, Ubuntu: apt-get install ${packages})`,
  );
}

/** The lab's tools that no folder of a PATH has. */
export function missingTools(path: string): string[] {
  return Object.keys(TOOLS).filter((tool) => !isInstalled(tool, path));
}

/** @throws SluiceError `LAB_NOT_ROOT` */
export function checkRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new SluiceError(
    'LAB_NOT_ROOT',
    'a lab needs root, to make network namespaces and iptables rules inside them: run the command again with sudo',
  );
}

/**
 * Runs a tool to its end, with the text on stdin, and returns its stdout.
 * @param lab whose process it is: `down` ends it when the command that started it is gone
 * @throws SluiceError `LAB_COMMAND_FAILED` with what the tool said
 */
export async function runTool(lab: string, argv: readonly string[], input = ''): Promise<string> {
  const env = { ...process.env, PATH: toolPath(), ...labMarks(lab) };
  const { status, signal, stdout, stderr, over } = await runToEnd(argv, {
    input,
    env,
    timeMs: TOOL_TIMEOUT_MS,
  }).catch((error: unknown) => {
    throw failed(argv, messageOf(error));
  });
  if (status === 0) return stdout;
  const end = over === undefined ? `ended with ${signal ?? `exit code ${status}`}` : ENDS[over];
  throw failed(argv, stderr.trim() || end);
}

function failed(argv: readonly string[], complaint: string): SluiceError {
  const hint = /Operation not permitted|Permission denied/.test(complaint)
    ? ' (in a container, run it with --privileged)'
    : '';
  return new SluiceError(
    'LAB_COMMAND_FAILED',
    `\`${argv.join(' ')}\` failed: ${complaint.slice(0, COMPLAINT_MAX_LENGTH)}${hint}`,
  );
}

function isInstalled(tool: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
