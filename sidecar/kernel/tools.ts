/** Runs the system's network tools. */
import { codeOf, messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { runTool } from '../../common/run_tool.ts';

/** Packages by how a command begins; Debian, Ubuntu and Alpine call them alike. */
const PACKAGES = [
  ['ip6tables', 'iptables'],
  ['iptables', 'iptables'],
  ['ip', 'iproute2'],
  ['nft', 'nftables'],
] as const;

/** What a tool said. */
export interface ToolResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest a tool may take: iptables waits for other users' lock with -w. */
export const TOOL_TIMEOUT_MS = 30_000;

/**
 * Runs a tool to its end; the caller looks at its exit status.
 * @throws SluiceError `TOOL_MISSING` when there is no such tool, `TOOL_FAILED` when it cannot be started now
 */
export async function tryTool(command: string, args: readonly string[], input = ''): Promise<ToolResult> {
  const outcome = await runTool([command, ...args], { input, timeMs: TOOL_TIMEOUT_MS }).catch(
    (cause: unknown) => {
      throw notStarted(command, cause);
    },
  );
  return { status: outcome.status ?? -1, stdout: outcome.stdout, stderr: outcome.stderr };
}

function notStarted(command: string, cause: unknown): SluiceError {
  const missing = codeOf(cause) === 'ENOENT';
  const hint = missing
    ? `install the package ${PACKAGES.find(([prefix]) => command.startsWith(prefix))?.[1] ?? command}`
    : 'the system is short of something; it is tried again where it matters';
  const code = missing ? 'TOOL_MISSING' : 'TOOL_FAILED';
  return new SluiceError(code, `cannot run ${command} (${messageOf(cause)}): ${hint}`, { cause });
}
