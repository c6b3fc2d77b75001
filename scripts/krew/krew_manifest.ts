/** The manifest of the kubectl plugin for krew. Source: krew, "Plugin Manifest". */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { VERSION } from '../../common/version.ts';

/** krew's names of platforms, in the names of the archives. */
const ARCHIVE = /^kubectl-sluice_(linux|darwin|windows)_(amd64|arm64)\.tar\.gz$/;

/**
 * @param url where the archives are published, without their names
 * @param folder of the archives
 * @throws Error where there is no archive
 */
export async function krewManifest(url: string, folder: string): Promise<string> {
  const platforms = [];
  for (const file of (await readdir(folder)).sort()) {
    const [, os, arch] = ARCHIVE.exec(file) ?? [];
    if (os === undefined || arch === undefined) continue;
    const sha256 = createHash('sha256')
      .update(await readFile(join(folder, file)))
      .digest('hex');
    platforms.push({
      selector: { matchLabels: { os, arch } },
      uri: `${url.replace(/\/$/, '')}/${file}`,
      sha256,
      bin: os === 'windows' ? 'kubectl-sluice.exe' : 'kubectl-sluice',
    });
  }
  if (platforms.length === 0)
    throw new Error(`${folder} has no archive such as kubectl-sluice_linux_amd64.tar.gz`);
  return stringify({
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'sluice' },
    spec: {
      version: `v${VERSION}`,
      homepage: 'https://sluice.dev',
      shortDescription: 'Ask what NetworkPolicy allows, and why',
      description:
        'Says whether NetworkPolicy lets one end connect to another, and by which rule; finds what in policies does\nnot do what it says; and what keeps pods from being enforced by Sluice. Reads the cluster with your own rights.\n',
      platforms,
    },
  });
}
