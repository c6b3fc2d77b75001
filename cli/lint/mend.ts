/** What `--fix` writes. */
import { existsSync, readFileSync } from 'node:fs';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { type Finding, mendFiles, placeText } from '../../lint/index.ts';
import type { ManifestFile } from '../../sources/index.ts';
import { complain } from '../output.ts';
import { replaceFile } from './replace_file.ts';

/** Readers of text take it away; all other bytes of a file stay, and so does this. */
const BYTE_ORDER_MARK = '\uFEFF';

function whyNot({ object: { file } }: Finding, isClashing: boolean): string {
  if (!existsSync(file)) return 'it is in no file here';
  if (isClashing) return 'the text overlaps that of another finding, which is fixed: look at what is left';
  return 'the text has a form that --fix does not change, such as JSON or an anchor: change it by hand';
}

/**
 * Mends findings in the files that they are in. A file that has changed since it was read is left alone.
 * @returns whether a file was changed
 * @throws SluiceError `MANIFEST_UNREADABLE` when a file cannot be read or written
 */
export function writeMends(findings: readonly Finding[], files: readonly ManifestFile[]): boolean {
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  let changed = false;
  const left = new Set(findings.filter(({ fix }) => (fix?.edits ?? []).length > 0));
  const overlapped = new Set<Finding>();
  for (const { file, text, mended, clashing } of mendFiles(findings, files)) {
    // What comes from a git revision is no file to be written.
    if (!existsSync(file)) continue;
    try {
      const now = readFileSync(file, 'utf8');
      const mark = now.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
      if (now.slice(mark.length) !== texts.get(file)) {
        complain(`sluice: ${file} has changed meanwhile: nothing of it is fixed`);
        for (const finding of left) if (finding.object.file === file) left.delete(finding);
        continue;
      }
      replaceFile(file, `${mark}${text}`);
    } catch (cause) {
      throw new SluiceError('MANIFEST_UNREADABLE', `${file} cannot be mended: ${messageOf(cause)}`, {
        cause,
      });
    }
    changed = true;
    for (const finding of clashing) overlapped.add(finding);
    for (const finding of mended) {
      left.delete(finding);
      complain(`sluice: fixed ${placeText(finding)} ${finding.code}: ${finding.fix?.text ?? ''}`);
    }
  }
  for (const finding of left)
    complain(
      `sluice: not fixed ${placeText(finding)} ${finding.code}: ${whyNot(finding, overlapped.has(finding))}`,
    );
  return changed;
}
