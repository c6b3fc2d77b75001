/** `npm run bundle`: makes dist/, which is what the image holds. See scripts/bundle/bundle.ts. */
import { join } from 'node:path';
import { bundle } from './bundle/bundle.ts';

const ROOT = join(import.meta.dirname, '..');

for (const { file, bytes } of await bundle(join(ROOT, 'dist')))
  process.stdout.write(`${file} ${Math.ceil(bytes / 1024)} kB\n`);
