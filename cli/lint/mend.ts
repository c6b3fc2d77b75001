/** What `--fix` writes. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { type Finding, mendFiles, placeText } from '../../lint/index.ts';
import type { ManifestFile } from '../../sources/index.ts';
import { complain } from '../output.ts';

/** Readers of text take it away; all other bytes of a file stay, and so does this. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * Mends findings in the files that they are in. A file that has changed since it was read is left alone.
 * @returns whether a file was changed
 * @throws SluiceError `MANIFEST_UNREADABLE` when a file cannot be read or written
 */
export function writeMends(findings: readonly Finding[], files: readonly ManifestFile[]): boolean {
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  let changed = false;
  for (const { file, text, mended } of mendFiles(findings, files)) {
    // What comes from a git revision is no file to be written.
    if (!existsSync(file)) continue;
    try {
      const now = readFileSync(file, 'utf8');
      const mark = now.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
      if (now.slice(mark.length) !== texts.get(file)) {
        complain(`sluice: ${file} has changed meanwhile: nothing of it is fixed`);
        continue;
      }
      writeFileSync(file, `${mark}${text}`);
    } catch (cause) {
      throw new SluiceError('MANIFEST_UNREADABLE', `${file} cannot be mended: ${messageOf(cause)}`, {
        cause,
      });
    }
    changed = true;
    for (const finding of mended)
      complain(`sluice: fixed ${placeText(finding)} ${finding.code}: ${finding.fix?.text ?? ''}`);
  }
  return changed;
}
