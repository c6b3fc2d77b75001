/** What went into each file that ships: packages by version and by the hash that package-lock.json has of them. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type InsideCode, insideOf } from './inside.ts';

/** What esbuild's metafile says of one file that it wrote; a part of `Metafile['outputs'][string]`. */
export interface BundleOutput {
  /** By path from the project's folder. */
  readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>;
}

/** A package in a file that ships. */
export interface PackageShare {
  /** Its folder, from the project's: `node_modules/pino`. */
  readonly path: string;
  /** Bytes of the file that come from it; absent where nobody counts them. */
  readonly bytes?: number;
}

/** A package, exactly. */
export interface ExactPackage {
  readonly name: string;
  readonly version: string;
  /** Of the package as npm fetched it, from package-lock.json; `npm ci` has checked it. Source: Subresource Integrity. */
  readonly integrity: string;
  /** SPDX, as the package says it. */
  readonly license?: string;
}

/** A package in a file that ships, exactly. */
export interface BundledPackage extends ExactPackage {
  /** As in `PackageShare`. */
  readonly bytes?: number;
  /** Code of others inside it. */
  readonly inside?: readonly Pick<InsideCode, 'name' | 'version' | 'purl'>[];
}

/** Content of `provenance.json`. */
export interface Provenance {
  /** Version of Sluice. */
  readonly version: string;
  /** What wrote the bundles: the bundler, and the package of its program. */
  readonly bundler: readonly ExactPackage[];
  /** By name of the file. */
  readonly files: Readonly<
    Record<
      string,
      {
        readonly sha256: string;
        /** In order of name. */
        readonly packages: readonly BundledPackage[];
      }
    >
  >;
}

const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/** The packages of a bundle, by the bytes that came from them; a package of which nothing was left over is not in it. */
export function packageShares({ inputs }: BundleOutput): readonly PackageShare[] {
  const bytes = new Map<string, number>();
  for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
    const [path] = PACKAGE.exec(file) ?? [];
    if (path !== undefined && bytesInOutput > 0) bytes.set(path, (bytes.get(path) ?? 0) + bytesInOutput);
  }
  return [...bytes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, count]) => ({ path, bytes: count }));
}

const BUNDLER = ['node_modules/esbuild', `node_modules/@esbuild/${process.platform}-${process.arch}`];

/**
 * @param root the project's folder, with its package-lock.json and node_modules
 * @param folder where the files are
 * @param shares the packages in each file, by its name
 * @throws Error where what is installed is not what package-lock.json says
 */
export async function createProvenance(
  root: string,
  folder: string,
  shares: ReadonlyMap<string, readonly PackageShare[]>,
): Promise<Provenance> {
  const lockfile = (await readJson(join(root, 'package-lock.json'))) as Lockfile;
  const exact = (path: string) => exactPackage(root, lockfile, path);
  const files: [string, Provenance['files'][string]][] = [];
  for (const [file, packages] of shares) {
    const sha256 = await sha256Of(join(folder, file));
    const listed = packages.map(async ({ path, bytes }): Promise<BundledPackage> => {
      const found = await exact(path);
      const inside = insideOf(found).map(({ licence: _, ...code }) => code);
      return {
        ...found,
        ...(bytes === undefined ? {} : { bytes }),
        ...(inside.length === 0 ? {} : { inside }),
      };
    });
    files.push([file, { sha256, packages: await Promise.all(listed) }]);
  }
  return {
    version: lockfile.version,
    bundler: await Promise.all(BUNDLER.map(exact)),
    files: Object.fromEntries(files),
  };
}

interface Lockfile {
  readonly version: string;
  readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity?: string }>>;
}

async function exactPackage(root: string, lockfile: Lockfile, path: string): Promise<ExactPackage> {
  const { name, version, license } = (await readJson(join(root, path, 'package.json'))) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  const locked = lockfile.packages[path];
  if (locked?.integrity === undefined || locked.version !== version)
    throw new Error(
      `${path} is ${name} ${version}, and package-lock.json says ${locked?.version ?? 'nothing of it'}: run npm ci`,
    );
  return { name, version, integrity: locked.integrity, ...(license === undefined ? {} : { license }) };
}

/** In hexadecimal. */
export async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}
