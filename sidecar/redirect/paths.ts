/**
 * Which TCP ports of the pod are the proxy's, and which go straight to the app's own socket. The redirect step decides it, and puts it
 * into the rules; who wants to know later reads it there, so that nobody can decide otherwise. Pure.
 */
import type { ConnectionPath, Path, PathChoice, PathUse } from '../../common/path.ts';

/** The path of connections, by port. */
export interface Paths {
  readonly usual: ConnectionPath;
  /** Ports that have the other path, in order. */
  readonly others: readonly number[];
}

/** What is asked for. */
export interface PathSettings {
  readonly path: PathChoice;
  /** TCP ports that are direct, where there is a gate. */
  readonly excludedPorts: readonly number[];
}

/** What the kernel of the pod can do. */
export interface PathAbilities {
  /** Nobody else would judge what bypasses the proxy. */
  readonly gate: boolean;
  /** It lists, ends and reports sockets. */
  readonly direct: boolean;
}

/** Every connection goes through the proxy. */
export const ALL_PROXY: Paths = { usual: 'proxy', others: [] };

/** The chain that has the direct path's ports, and that of the proxy's where the usual path is direct. */
export const PATH_CHAIN = 'SLUICE_PATH';
export const PROXY_CHAIN = 'SLUICE_PROXY';

/** What follows from settings on a kernel. `direct` is taken as it is: whether the kernel can do it is looked at elsewhere. */
export function resolvePaths({ path, excludedPorts }: PathSettings, able: PathAbilities): Paths {
  if (!able.gate) return ALL_PROXY;
  const resolved = (one: Path): ConnectionPath => (one === 'auto' ? (able.direct ? 'direct' : 'proxy') : one);
  const usual = resolved(path.usual);
  const ports = new Map<number, ConnectionPath>(excludedPorts.map((port) => [port, 'direct']));
  for (const [port, one] of path.ports) ports.set(port, resolved(one));
  const others = [...ports].filter(([, one]) => one !== usual).map(([port]) => port);
  return { usual, others: others.sort((a, b) => a - b) };
}

/** All that the rules may be for, as the redirect step could have found the kernel. */
export function possiblePaths(settings: PathSettings): readonly Paths[] {
  return [
    resolvePaths(settings, { gate: false, direct: false }),
    resolvePaths(settings, { gate: true, direct: false }),
    resolvePaths(settings, { gate: true, direct: true }),
  ];
}

/** Whether a path of this kind is asked for anywhere. */
export function asksFor(wanted: Path, { path }: PathSettings): boolean {
  return path.usual === wanted || [...path.ports.values()].includes(wanted);
}

/** Whether connections to a port go straight to the app. */
export function isDirect({ usual, others }: Paths, port: number): boolean {
  return (usual === 'direct') !== others.includes(port);
}

/** Whether a port is direct anywhere. */
export function hasDirect({ usual, others }: Paths): boolean {
  return usual === 'direct' || others.length > 0;
}

/** In a word, for the injector. */
export function pathUse({ usual, others }: Paths): PathUse {
  return others.length === 0 ? usual : 'mixed';
}

/** Whether both are the same. */
export function samePaths(a: Paths, b: Paths): boolean {
  return a.usual === b.usual && a.others.join() === b.others.join();
}

/** Whether `auto` has come to the proxy. */
export function hasFallenBack(settings: PathSettings, paths: Paths): boolean {
  return asksFor('auto', settings) && !samePaths(paths, resolvePaths(settings, { gate: true, direct: true }));
}

/** For people: `direct, but ports 5432, 6379`. */
export function pathsText({ usual, others }: Paths): string {
  return others.length === 0 ? usual : `${usual}, but ports ${others.join(', ')}`;
}

/** The paths of rules as `iptables -S` prints the table mangle. A usual path that is direct ends the chain with `-j RETURN`. */
export function readPaths(listed: string): Paths {
  if (!listed.includes(`-A SLUICE_IN -p tcp -g ${PATH_CHAIN}\n`)) return ALL_PROXY;
  const usual = listed.includes(`-A ${PATH_CHAIN} -j RETURN\n`) ? 'direct' : 'proxy';
  const target = usual === 'direct' ? `-g ${PROXY_CHAIN}` : '-j RETURN';
  const rule = new RegExp(`^-A ${PATH_CHAIN} -p tcp -m tcp --dport (\\d+) ${target}$`, 'gm');
  const others = [...listed.matchAll(rule)].map(([, port]) => Number(port));
  return { usual, others: others.sort((a, b) => a - b) };
}
