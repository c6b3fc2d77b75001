/** Runs a load generator in a namespace of the lab and reads what it prints. */
import { messageOf } from '../../common/errno.ts';
import { outcomeOf } from '../../common/run_tool.ts';
import type { Lab } from '../../lab/index.ts';

/** A tool that takes so much longer than its load is stuck, in milliseconds. */
const PATIENCE_MS = 20_000;

/** The pod that load comes from. */
export interface ClientPod {
  readonly lab: Lab;
  /** Its key. */
  readonly client: string;
}

/**
 * Runs a tool in the client's pod.
 * @param expectedMs how long its load takes
 * @returns its standard output
 * @throws Error with what the tool said, when it fails or does not end
 */
export async function runTool(
  client: ClientPod,
  argv: readonly string[],
  expectedMs: number,
): Promise<string> {
  const { output, failure } = await tryTool(client, argv, expectedMs);
  if (failure !== undefined) throw new Error(failure);
  return output;
}

/** As `runTool`, for tools whose output says why they failed. */
export async function tryTool(
  client: ClientPod,
  argv: readonly string[],
  expectedMs: number,
): Promise<{ readonly output: string; readonly failure?: string }> {
  const child = client.lab.spawnIn(client.client, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timeMs = expectedMs + PATIENCE_MS;
  const { status, signal, stdout, stderr, over } = await outcomeOf(child, {
    timeMs,
    signal: 'SIGKILL',
  }).catch((error: unknown) => {
    throw new Error(`\`${argv.join(' ')}\` did not start: ${messageOf(error)}`);
  });
  if (status === 0) return { output: stdout };
  const end = over === 'time' ? `did not end within ${timeMs} ms` : `ended with ${signal ?? status}`;
  const said = [stderr, stdout].map((text) => text.trim().slice(-600)).filter((text) => text !== '');
  return { output: stdout, failure: `\`${argv.join(' ')}\` ${end}: ${said.join(' | ')}` };
}

/**
 * The number that a pattern's first group finds in a tool's output.
 * @throws Error when it is not there: the tool has another version than expected
 */
export function numberIn(output: string, pattern: RegExp): number {
  const value = Number(pattern.exec(output)?.[1] ?? Number.NaN);
  if (Number.isFinite(value)) return value;
  throw new Error(`no number at ${pattern} in: ${output.slice(0, 600)}`);
}
