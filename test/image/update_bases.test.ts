/** The script that brings the digests of the base images up to date, with the real skopeo and a registry on this machine. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/** What the registry has, as bytes, by `NAME/manifests/TAG`. */
const manifests = new Map<string, string>();
let registry: Server;
let folder = '';

beforeAll(async () => {
  await run('sh', [join(ROOT, 'scripts/system_tools.sh'), 'image', 'skopeo']);
});
beforeEach(async () => {
  manifests.clear();
  registry = createServer((request, response) => {
    const body = manifests.get((request.url ?? '').replace('/v2/', ''));
    if (request.url === '/v2/') return response.end('{}');
    if (body === undefined) return response.writeHead(404).end();
    response.setHeader('content-type', 'application/vnd.oci.image.index.v1+json');
    return response.end(body);
  });
  registry.listen(0, '127.0.0.1');
  await once(registry, 'listening');
  folder = mkdtempSync(join(tmpdir(), 'sluice-bases-'));
  const { port } = registry.address() as AddressInfo;
  // Short names of images are those of this registry.
  mkdirSync(join(folder, '.config/containers'), { recursive: true });
  writeFileSync(
    join(folder, '.config/containers/registries.conf'),
    `[[registry]]\nprefix = "docker.io/library"\nlocation = "127.0.0.1:${port}"\ninsecure = true\n`,
  );
});
afterEach(() => {
  registry.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An index of platforms; `of` makes it another one. @returns its digest */
function publish(image: string, of: string): string {
  const body = JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { of } });
  manifests.set(image.replace(':', '/manifests/'), body);
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

const OLD = `sha256:${'0'.repeat(64)}`;
const dockerfile = (debian: string, node: string) =>
  [
    `ARG DEBIAN_IMAGE=debian:bookworm-slim@${debian}`,
    `ARG NODE_IMAGE=node:24-bookworm-slim@${node}`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the Dockerfile's own
    'FROM ${DEBIAN_IMAGE} AS tools',
    '',
  ].join('\n');

/** Runs the script on a file with this text; rejects where it ends with an error. */
async function update(text: string): Promise<{ readonly said: string; readonly result: string }> {
  const file = join(folder, 'Dockerfile');
  writeFileSync(file, text);
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: undefined };
  const { stderr } = await run('sh', [join(ROOT, 'scripts/image/update_bases.sh'), file], { env });
  return { said: stderr, result: readFileSync(file, 'utf8') };
}

test('the digests become those that the registry has for the tags, and stay when nothing is new', async () => {
  const debian = publish('debian:bookworm-slim', 'debian');
  const node = publish('node:24-bookworm-slim', 'node');

  const first = await update(dockerfile(OLD, node));
  expect(first.result).toBe(dockerfile(debian, node));
  expect(first.said).toContain(`debian:bookworm-slim is ${debian} now\n`);
  expect(first.said).toContain('node:24-bookworm-slim is up to date\n');
  expect((await update(first.result)).result).toBe(first.result);
});

test('a registry that does not answer leaves the file as it is, and is an error', async () => {
  publish('debian:bookworm-slim', 'debian');

  await expect(update(dockerfile(OLD, OLD))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no digest for node:24-bookworm-slim; nothing was changed'),
  });
  expect(readFileSync(join(folder, 'Dockerfile'), 'utf8')).toBe(dockerfile(OLD, OLD));
});
