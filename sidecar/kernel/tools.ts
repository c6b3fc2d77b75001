/** Runs the system's network tools. */
import { type ChildProcess, spawn } from 'node:child_process';
import { asError, codeOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

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
 * Runs a tool to its end, whatever its exit status.
 * @throws SluiceError `TOOL_MISSING` when there is no such tool, `TOOL_FAILED` when it cannot be started now
 */
export function tryTool(command: string, args: readonly string[], input = ''): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const failed = (cause: Error): void => {
      clearTimeout(timer);
      const missing = codeOf(cause) === 'ENOENT';
      const hint = missing
        ? `install the package ${PACKAGES.find(([prefix]) => command.startsWith(prefix))?.[1] ?? command}`
        : 'the system is short of something; it is tried again where it matters';
      const code = missing ? 'TOOL_MISSING' : 'TOOL_FAILED';
      reject(new SluiceError(code, `cannot run ${command} (${cause.message}): ${hint}`, { cause }));
    };
    let child: ChildProcess;
    try {
      child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    } catch (cause) {
      return failed(asError(cause));
    }
    // Of its own: the one that spawn() offers goes on after an 'error', and keeps the process up for all of that time.
    timer = setTimeout(() => child.kill(), TOOL_TIMEOUT_MS);
    child.on('error', failed);
    child.on('exit', () => clearTimeout(timer));
    let stdout = '';
    let stderr = '';
    // Without a file descriptor to spare there are no pipes, and the error follows.
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
    child.stdin?.on('error', () => {}); // the tool may end before it has read all: its status tells
    child.stdin?.end(input);
  });
}
