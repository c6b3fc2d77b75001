/** What `--fix` does: the edits of findings, in the texts of their files. */
import { applyReplacements, createEdits, type ManifestFile, type TextReplacement } from '../sources/index.ts';
import type { Finding } from './finding.ts';

/** A finding that can be mended without asking, and how. */
export interface Mend {
  readonly finding: Finding;
  /** In the text of the finding's file; all of them or none. */
  readonly replacements: readonly TextReplacement[];
}

/** A file with its mends done. */
export interface MendedFile {
  readonly file: string;
  readonly text: string;
  readonly mended: readonly Finding[];
  /** Those whose edits overlap the ones of another finding, which is mended. */
  readonly clashing: readonly Finding[];
}

/** Those of the findings that have edits which fit their text. */
export function mendsOf(findings: readonly Finding[], files: readonly ManifestFile[]): readonly Mend[] {
  const edits = createEdits(files);
  return findings.flatMap((finding) => {
    const wanted = finding.fix?.edits ?? [];
    const replacements = wanted.flatMap((edit) => edits.replacement(finding.object, edit) ?? []);
    return replacements.length === 0 || replacements.length < wanted.length
      ? []
      : [{ finding, replacements }];
  });
}

/** The texts of files after their mends; files without any are left out. Of two mends that clash the first is done. */
export function mendFiles(
  findings: readonly Finding[],
  files: readonly ManifestFile[],
): readonly MendedFile[] {
  const byFile = Map.groupBy(mendsOf(findings, files), ({ finding }) => finding.object.file);
  return files.flatMap(({ file, text }) => {
    const mends = byFile.get(file);
    if (mends === undefined) return [];
    const result = applyReplacements(
      text,
      mends.flatMap(({ replacements }) => replacements),
    );
    const isDone = ({ replacements }: Mend) => replacements.every((one) => result.done.has(one));
    const mended = mends.filter(isDone).map(({ finding }) => finding);
    const clashing = mends.filter((mend) => !isDone(mend)).map(({ finding }) => finding);
    return [{ file, text: result.text, mended, clashing }];
  });
}
