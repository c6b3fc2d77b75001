/**
 * `node scripts/krew.ts URL FOLDER`: prints the manifest by which krew would install the kubectl plugin. FOLDER has an archive for each
 * platform, `kubectl-sluice_OS_ARCH.tar.gz`, with the executable in it; URL is where these archives are published.
 * Nothing is published yet.
 */
import { krewManifest } from './krew/krew_manifest.ts';

const [url, folder] = process.argv.slice(2);
if (url === undefined || folder === undefined) {
  process.stderr.write('usage: node scripts/krew.ts URL FOLDER\n');
  process.exitCode = 2;
} else process.stdout.write(await krewManifest(url, folder));
