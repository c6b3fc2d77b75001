/** Runs nft(8) in the pod's network namespace. */
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { tryTool } from './tools.ts';

/**
 * Runs one transaction: all of it is in force, or nothing.
 * @param text nft(8) commands
 * @returns standard output
 * @throws SluiceError `GATE_UNAVAILABLE` when nft or its kernel side is missing, `GATE_REFUSED` for anything else
 */
export function runNft(text: string): Promise<string> {
  return transact(['-f', '-'], text);
}

/** Has the kernel check a transaction; nothing of it is put in force. Throws what `runNft` would. */
export async function tryNft(text: string): Promise<void> {
  await transact(['-c', '-f', '-'], text);
}

/** How nft says that there is no such table, chain or set. */
const NO_SUCH_OBJECT = /no such file or directory/i;

/**
 * Lists a table, a chain or a set.
 * @param object such as `table inet sluice_guard`
 * @param options of nft(8), such as `-j`
 * @returns what nft prints; `undefined` where there is no such object
 * @throws SluiceError `GATE_UNAVAILABLE` as `runNft`, `GATE_REFUSED` when nft cannot say now
 */
export async function listNft(object: string, ...options: readonly string[]): Promise<string | undefined> {
  try {
    return await transact([...options, 'list', ...object.split(' ')], '');
  } catch (error) {
    const absent =
      error instanceof SluiceError && error.code === 'GATE_REFUSED' && NO_SUCH_OBJECT.test(error.message);
    if (absent) return undefined;
    throw error;
  }
}

async function transact(args: readonly string[], text: string): Promise<string> {
  const result = await tryTool('nft', args, text).catch((cause: unknown) => {
    const missing = cause instanceof SluiceError && cause.code === 'TOOL_MISSING';
    const said = messageOf(cause);
    throw new SluiceError(missing ? 'GATE_UNAVAILABLE' : 'GATE_REFUSED', said, { cause });
  });
  if (result.status === 0) return result.stdout;
  const message = result.stderr.trim().split('\n').slice(0, 3).join('; ') || 'no message';
  if (/operation not permitted|permission denied/i.test(message)) {
    throw new SluiceError('GATE_UNAVAILABLE', `nft: ${message}: the capability NET_ADMIN is needed`);
  }
  if (
    /operation not supported|protocol not supported|invalid argument.*netlink|unable to initialize/i.test(
      message,
    )
  ) {
    throw new SluiceError(
      'GATE_UNAVAILABLE',
      `nft: ${message}: the kernel needs nf_tables with inet, ct, reject, interval sets, fib, exthdr and ip option (5.3)`,
    );
  }
  throw new SluiceError('GATE_REFUSED', `nft refused: ${message}`);
}
