/** Renders the manifests as their users do, with the pinned tools of scripts/kube_tools.sh. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);

export const ROOT = join(import.meta.dirname, '../..');
const TOOLS = join(ROOT, '.tools/bin');

/** An object of the API. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** One of the pinned tools; rejects with its complaint. */
export async function tool(
  name: 'kubectl' | 'helm' | 'hadolint',
  ...args: readonly string[]
): Promise<string> {
  const { stdout } = await run(join(TOOLS, name), args, {
    cwd: ROOT,
    maxBuffer: 2 ** 26,
    env: { HOME: '/nonexistent', PATH: process.env.PATH },
  });
  return stdout;
}

/** `kubectl kustomize` of a folder, from the project's. */
export async function kustomize(folder: string): Promise<readonly Rendered[]> {
  return parse(await tool('kubectl', 'kustomize', folder));
}

/** `helm template` of the chart. */
export async function helm(...args: readonly string[]): Promise<readonly Rendered[]> {
  const chart = 'manifests/helm/sluice';
  return parse(await tool('helm', 'template', 'sluice', chart, '--namespace', 'sluice-system', ...args));
}

function parse(text: string): readonly Rendered[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.contents === null ? [] : [document.toJS() as Rendered];
  });
}

/** The one object of a kind, and of a name where there are more. */
export function one(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1 || found[0] === undefined)
    throw new Error(`${found.length} of ${kind} ${name ?? ''}`);
  return found[0];
}
