/** The app behind the HTTP figures: nginx with files of known sizes, the same in each pod. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Port of nginx in each pod. */
export const HTTP_PORT = 8080;

/** Sizes of the files it serves, in bytes: 0.5 kB to 1 MB. */
export const RESPONSE_BYTES: readonly number[] = [512, 4096, 32_768, 262_144, 1_048_576];

/** What small requests ask for, in bytes. */
export const SMALL_RESPONSE_BYTES = 512;

/** The URL of a file of this size. */
export function fileUrl(address: string, bytes: number): string {
  return `http://${address}:${HTTP_PORT}/${bytes}`;
}

/**
 * Writes files and configuration, once for all pods.
 * @param folder an empty one
 * @returns the server's command line: one worker, as the proxies have one thread
 */
export function webServer(folder: string): (name: string) => readonly string[] {
  const root = join(folder, 'www');
  mkdirSync(root, { recursive: true });
  for (const bytes of RESPONSE_BYTES) writeFileSync(join(root, String(bytes)), Buffer.alloc(bytes, 'x'));
  return (name) => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    const file = join(own, 'nginx.conf');
    writeFileSync(file, configuration(root, own));
    return ['nginx', '-e', 'stderr', '-c', file];
  };
}

function configuration(root: string, own: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
user root;
worker_processes 1;
pid ${own}/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=64;
${temporary.map((name) => `  ${name}_temp_path ${own}/${name};`).join('\n')}
  server {
    listen ${HTTP_PORT} backlog=4096;
    root ${root};
  }
}
`;
}
