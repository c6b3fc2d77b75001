/** A directory of manifests for one test, and the ways in which programs write to it. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { Manifest } from '../../builders/manifests.ts';

/** Gone with `close`. */
export class ManifestDir {
  /** Holds `manifests`, and the sockets. */
  readonly root = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  readonly path = join(this.root, 'manifests');

  constructor() {
    mkdirSync(this.path);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Writes objects as YAML documents, or text as it is, in place. */
  write(name: string, ...content: readonly (Manifest | string)[]): string {
    const path = this.file(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, yaml(...content));
    return path;
  }

  /** Saves as many editors do: writes another file and renames it over the old one. */
  replace(name: string, ...content: readonly (Manifest | string)[]): void {
    const next = this.file(`.${name}.tmp`);
    writeFileSync(next, yaml(...content));
    renameSync(next, this.file(name));
  }

  remove(name: string): void {
    rmSync(this.file(name), { recursive: true });
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Documents of one file. */
export function yaml(...content: readonly (Manifest | string)[]): string {
  return content.map((part) => (typeof part === 'string' ? part : stringify(part))).join('---\n');
}
