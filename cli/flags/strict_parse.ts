/** Node's reader of command lines, with one error for all that is wrong with them. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { codeOf, firstSentenceOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { didYouMean } from '../likeness.ts';

/**
 * As `parseArgs`, strictly.
 * @param command what the message refers to: `can` for `sluice can --help`
 * @throws SluiceError `USAGE`, with the flag that an unknown one is like
 */
export function parseStrictly<T extends ParseArgsConfig>(
  config: T,
  command: string,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (cause) {
    const hint =
      codeOf(cause) === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? hintOf(config, firstSentenceOf(cause)) : '';
    throw new SluiceError('USAGE', `${firstSentenceOf(cause)}${hint} (see sluice ${command} --help)`, {
      cause,
    });
  }
}

function hintOf({ options = {} }: ParseArgsConfig, message: string): string {
  const wrong = /'(--[^']+)'/.exec(message)?.[1];
  return wrong === undefined
    ? ''
    : didYouMean(
        wrong,
        Object.keys(options).map((name) => `--${name}`),
      );
}
