/** Which way inbound TCP connections take to the app, by port: the form of `SLUICE_PATH` and of the annotation `sluice.dev/path`. */
import { MAX_PORT } from './net.ts';
import { shown } from './shown.ts';

/**
 * - `proxy`: through the sidecar, which splices each connection to the app.
 * - `direct`: to the app's own socket; the kernel ends what policy no longer allows.
 * - `auto`: direct where a probe shows that the kernel can do all of it, else the proxy.
 */
export const PATHS = ['proxy', 'direct', 'auto'] as const;

/** One of `PATHS`. */
export type Path = (typeof PATHS)[number];

/** The paths that a connection can take. `auto` comes to one of them, as a probe decides. */
export const CONNECTION_PATHS = ['proxy', 'direct'] as const;

/** One of `CONNECTION_PATHS`. */
export type ConnectionPath = (typeof CONNECTION_PATHS)[number];

/** Most ports with a path of their own. */
export const OWN_PATHS_MAX = 15;

/** The paths of a pod. */
export interface PathChoice {
  /** Of all ports that have none of their own. */
  readonly usual: Path;
  readonly ports: ReadonlyMap<number, Path>;
}

/** What a pod has without a choice of its own. */
export const USUAL_PATH: PathChoice = { usual: 'proxy', ports: new Map() };

/**
 * Reads a path, and ports with paths of their own: `direct`, `auto,5432=proxy` or `8080=direct`.
 * @param otherwise the usual path of a text that names none
 * @returns a sentence where the text is wrong
 */
export function parsePath(text: string, otherwise: Path = USUAL_PATH.usual): PathChoice | string {
  let usual: Path | undefined;
  const ports = new Map<number, Path>();
  for (const item of text.split(',')) {
    const [, port, path] = /^(?:([1-9]\d{0,4})=)?([a-z]+)$/.exec(item.trim()) ?? [];
    if (!isPath(path) || Number(port ?? 1) > MAX_PORT) return wanted(item.trim());
    if (port === undefined) {
      if (usual !== undefined) return `it names two usual paths, '${usual}' and '${path}': leave one out`;
      usual = path;
    } else {
      if (ports.has(Number(port))) return `it names port ${port} twice: leave one out`;
      ports.set(Number(port), path);
    }
  }
  if (ports.size > OWN_PATHS_MAX)
    return `at most ${OWN_PATHS_MAX} ports have a path of their own, and it names ${ports.size}: leave some out`;
  return { usual: usual ?? otherwise, ports };
}

/** A choice as `parsePath` reads it, the usual path first. */
export function pathText({ usual, ports }: PathChoice): string {
  return [usual, ...[...ports].map(([port, path]) => `${port}=${path}`)].join();
}

/** Which way the connections of a pod take in fact: all of them one, or by port. */
export const PATH_USES = ['proxy', 'direct', 'mixed'] as const;

/** One of `PATH_USES`. */
export type PathUse = (typeof PATH_USES)[number];

function wanted(item: string): string {
  return `'${shown(item)}' is not one of ${PATHS.join(', ')}, or of PORT=PATH with a port from 1 to ${MAX_PORT}, as in auto,5432=proxy`;
}

function isPath(text: string | undefined): text is Path {
  return PATHS.some((path) => path === text);
}
