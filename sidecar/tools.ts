/** Runs the system's network tools. */
import { spawn } from 'node:child_process';
import { SluiceError } from '../policy/errors.ts';

/** Packages by how a command begins; Debian, Ubuntu and Alpine call them alike. */
const PACKAGES = [
  ['ip6tables', 'iptables'],
  ['iptables', 'iptables'],
  ['ip', 'iproute2'],
  ['nft', 'nftables'],
  ['ss', 'iproute2'],
] as const;

/** What a tool said. */
export interface ToolResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest a tool may take: iptables waits for other users' lock with -w. */
const TOOL_TIMEOUT_MS = 30_000;

/**
 * Runs a tool to its end, whatever its exit status.
 * @throws SluiceError `TOOL_MISSING` when it cannot be started.
 */
export function tryTool(command: string, args: readonly string[], input = ''): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: TOOL_TIMEOUT_MS });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (cause) => {
      const hint = `install the package ${PACKAGES.find(([prefix]) => command.startsWith(prefix))?.[1] ?? command}`;
      reject(
        new SluiceError('TOOL_MISSING', `cannot run ${command} (${cause.message}): ${hint}`, {
          cause,
        }),
      );
    });
    child.on('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
    child.stdin.on('error', () => {}); // the tool may end before it has read all: its status tells
    child.stdin.end(input);
  });
}
