/** Edits of objects in the files that they were read from. */
import type { ManifestFile } from './files/index.ts';
import { type Standing, stepsOf } from './places.ts';
import { createEditor, type FieldEdit, splitDocuments, type TextReplacement } from './text/index.ts';

export type { FieldEdit, TextReplacement } from './text/index.ts';

/** Works out what edits of objects do to the texts of their files. */
export interface Edits {
  /** In the text of the object's file; undefined where the text is of another form than the edit knows. */
  replacement(object: Standing, edit: FieldEdit): TextReplacement | undefined;
}

/** Parses a document once for edits that come one after another. */
export function createEdits(files: readonly ManifestFile[]): Edits {
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  let last:
    | { readonly key: string; readonly offset: number; readonly edit: ReturnType<typeof createEditor> }
    | undefined;

  const editorOf = ({ file, document }: Standing) => {
    const key = `${document} ${file}`;
    if (last?.key === key) return last;
    const text = texts.get(file);
    const found = text === undefined ? undefined : splitDocuments(text)[document - 1];
    last = found && { key, offset: found.offset, edit: createEditor(found.text) };
    return last;
  };

  return {
    replacement(object, edit) {
      const editor = editorOf(object);
      const found = editor?.edit({ ...edit, path: [...stepsOf(object.within), ...edit.path] });
      if (editor === undefined || found === undefined) return undefined;
      const { start, end, text } = found;
      return { start: start + editor.offset, end: end + editor.offset, text };
    },
  };
}

/**
 * A text with replacements done. Of two that overlap the one that begins first is done; two that are the same are one.
 * @returns also which were done
 */
export function applyReplacements(
  text: string,
  replacements: readonly TextReplacement[],
): { readonly text: string; readonly done: ReadonlySet<TextReplacement> } {
  const done = new Set<TextReplacement>();
  let result = '';
  let at = 0;
  let last: TextReplacement | undefined;
  for (const one of replacements.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const isSame = last?.start === one.start && last.end === one.end && last.text === one.text;
    if (isSame) done.add(one);
    // Two that insert at one place would come out in an order that nobody chose.
    const clashes =
      last !== undefined && (one.start < at || (one.start === one.end && one.start === last.end));
    if (isSame || clashes) continue;
    result += text.slice(at, one.start) + one.text;
    at = one.end;
    last = one;
    done.add(one);
  }
  return { text: result + text.slice(at), done };
}
