/**
 * The bounds between rooms. A room is a folder; its face is its `index.ts`. Programs are folders without a face: nothing imports a
 * program but its own files, the commands, the bench and the tests, and these may import its rooms' faces.
 */
import { dirname } from 'node:path';
import type { Arrow } from './imports.ts';

/** What each top folder may import, besides itself. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  common: [],
  native: ['common'],
  policy: ['common'],
  sources: ['common', 'policy'],
  lint: ['common', 'policy', 'sources'],
  flows: ['common'],
  sidecar: ['common', 'native', 'policy', 'flows'],
  injector: ['common', 'policy', 'sources', 'flows'],
  lab: ['common', 'policy', 'sources', 'flows', 'sidecar', 'injector'],
  cli: ['common', 'policy', 'sources', 'lint', 'flows', 'sidecar', 'injector', 'lab'],
  bench: ['common', 'native', 'policy', 'sources', 'flows', 'sidecar', 'injector', 'lab', 'cli'],
  scripts: ['common', 'policy', 'sources', 'lint', 'flows', 'sidecar', 'injector', 'lab', 'cli', 'bench'],
};

/** Of `common/`, what the engine may use: it is pure, and so must this be. */
const PURE: readonly string[] = [
  'common/contract.ts',
  'common/edit_distance.ts',
  'common/errors.ts',
  'common/first_few.ts',
  'common/net.ts',
  'common/path.ts',
  'common/persistent_map.ts',
  'common/recent.ts',
  'common/shape.ts',
  'common/steps.ts',
];

/** Folders whose files are a face each: using one of them shall not load the others. */
const FACES_EACH: readonly string[] = ['common'];

/** Folders without a face: their rooms have faces. */
const PROGRAMS: readonly string[] = ['sidecar', 'injector', 'cli', 'sidecar/gate'];

/** Folders that nothing else imports, without faces at all. */
const WORKSHOPS: readonly string[] = ['bench', 'scripts'];

/** What is wrong with an import; nothing where it is fine. */
export function problemOf(arrow: Arrow): string | undefined {
  return layerProblem(arrow) ?? faceProblem(arrow);
}

function layerProblem({ from, to }: Arrow): string | undefined {
  const [own = '', other = ''] = [topOf(from), topOf(to)];
  if (own === other || !(own in LAYERS) || to === 'package.json') return undefined;
  if (LAYERS[own]?.includes(other) !== true) return `${own}/ may not import ${other}/`;
  if (own === 'policy' && !PURE.includes(to))
    return `policy/ is pure: of common/ it imports ${PURE.join(', ')}`;
  return undefined;
}

function faceProblem({ from, to }: Arrow): string | undefined {
  const room = roomEntered(from, to);
  if (room === undefined || to === `${room}/index.ts` || FACES_EACH.includes(room)) return undefined;
  return `import ${room}/index.ts, the face of the room`;
}

/** The outermost room that holds `to` and not `from`; none where `to` is in the same folder or in one around it. */
function roomEntered(from: string, to: string): string | undefined {
  const own = foldersOf(from);
  return foldersOf(to).find((folder) => !own.includes(folder) && !isFaceless(folder));
}

function isFaceless(folder: string): boolean {
  return PROGRAMS.includes(folder) || WORKSHOPS.includes(topOf(`${folder}/file`));
}

/** The folders around a file, outermost first. */
function foldersOf(file: string): readonly string[] {
  const folder = dirname(file);
  return folder === '.' ? [] : [...foldersOf(folder), folder];
}

/** The top folder of a file; the empty text for a file beside them. */
export function topOf(file: string): string {
  return foldersOf(file)[0] ?? '';
}

/** The part of its parent folder that a file belongs to: one room of it, or a file beside the rooms. */
export function partOf(file: string, parent: string): string {
  const [part = ''] = file.slice(parent.length + 1).split('/');
  return part;
}

/** Folders, with all that have files somewhere below them. */
export function allFolders(files: readonly string[]): readonly string[] {
  return [...new Set(files.flatMap((file) => foldersOf(file)))].sort();
}
