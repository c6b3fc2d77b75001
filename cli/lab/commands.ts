/** `sluice lab …`: command lines to calls of the lab, and what people see of it. */

import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import {
  type ApplyResult,
  changeLab,
  checkLabName,
  checkOwnLab,
  checkRoot,
  columns,
  DEFAULT_LAB_NAME,
  describeStatus,
  injectorLog,
  Lab,
  labNames,
  labPaths,
  labStatus,
  podWarnings,
  takeLabDown,
  tryReadState,
} from '../../lab/index.ts';
import { checkNamespaceFlag } from '../namespace_flag.ts';
import { complain, print } from '../output.ts';
import { type Flags, LAB_USAGE, readFlags } from './usage.ts';

/** A shell's way to say that a signal ended a command. */
const SIGNAL_EXIT_BASE = 128;

/** `status` of a lab that is not in order. */
const EXIT_NOT_HEALTHY = 1;

/**
 * Runs one `lab` command; returns the exit code.
 * @throws SluiceError `USAGE`, and what the command throws
 */
export async function runLab(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  const end = rest.indexOf('--');
  const own = end === -1 ? rest : rest.slice(0, end);
  if (
    command === undefined ||
    command === '--help' ||
    command === '-h' ||
    /^(-h|--help)$/m.test(own.join('\n'))
  ) {
    (command === undefined ? process.stderr : process.stdout).write(LAB_USAGE);
    return command === undefined ? 2 : 0;
  }
  switch (command) {
    case 'up':
      return await up(readFlags(rest, ['file', 'namespace', 'name', 'external'], 0));
    case 'exec':
      return await exec(readFlags(own, ['name'], 1), end === -1 ? [] : rest.slice(end + 1));
    case 'apply':
      return await apply(readFlags(rest, ['file', 'namespace', 'name'], 0));
    case 'delete':
      return await remove(readFlags(rest, ['file', 'namespace', 'name'], 0));
    case 'status':
      return await status(readFlags(rest, ['name', 'output'], 0));
    case 'logs':
      return logs(readFlags(rest, ['name'], 2));
    case 'list':
      return list(readFlags(rest, [], 0));
    case 'down':
      return await down(readFlags(rest, ['name'], 0));
    default:
      throw new SluiceError(
        'USAGE',
        `${JSON.stringify(command)} is no lab command: see \`sluice lab --help\``,
      );
  }
}

async function up(flags: Flags): Promise<number> {
  const name = labName(flags);
  const files = wanted(flags.list('file'), '-f DIR');
  const external = flags.list('external').flatMap((text) => text.split(','));
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  const startedAt = performance.now();
  await Lab.up({
    name,
    paths: files,
    namespace: namespaceOf(flags),
    external: external.length === 0 ? undefined : external,
    signal: interrupt.signal,
    progress: say,
    warn,
  });
  say(`lab ${name} is up after ${seconds(performance.now() - startedAt)}: every sidecar enforces its table`);
  await warnOfPods(name);
  say(`try: sluice lab exec${suffix(name)} NAMESPACE/POD -- CMD…   end: sluice lab down${suffix(name)}`);
  return 0;
}

async function exec(flags: Flags, command: readonly string[]): Promise<number> {
  const [target] = flags.positionals;
  if (target === undefined || command.length === 0) {
    throw new SluiceError('USAGE', 'write it as: sluice lab exec [--name NAME] TARGET -- CMD…');
  }
  checkRoot();
  const lab = Lab.open(labName(flags));
  checkOwnLab(lab.name);
  const child = lab.spawnIn(target, command, { stdio: 'inherit' });
  // A terminal sends these to the command too; this process has to live to return its exit code.
  const ignore = (): void => undefined;
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', ignore).on('SIGQUIT', ignore).on('SIGTERM', passOn).on('SIGHUP', passOn);
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? SIGNAL_EXIT_BASE + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}

async function apply(flags: Flags): Promise<number> {
  const name = labName(flags);
  checkRoot();
  const files = flags.list('file');
  // Without files it only starts what has died.
  const result =
    files.length === 0
      ? await changeLab(name, { put: [], remove: [] })
      : await Lab.open(name).apply(files, warn, namespaceOf(flags));
  sayResult(result);
  await warnOfPods(name);
  return 0;
}

async function remove(flags: Flags): Promise<number> {
  checkRoot();
  const name = labName(flags);
  const files = wanted(flags.list('file'), '-f FILE');
  sayResult(await Lab.open(name).delete(files, warn, namespaceOf(flags)));
  await warnOfPods(name);
  return 0;
}

async function status(flags: Flags): Promise<number> {
  const format = flags.text('output') ?? 'text';
  if (format !== 'text' && format !== 'json') {
    throw new SluiceError('USAGE', `-o ${format}: wants text or json`);
  }
  checkRoot();
  const found = await labStatus(labName(flags));
  print(format === 'json' ? `${JSON.stringify(found, undefined, 2)}\n` : describeStatus(found));
  return found.healthy ? 0 : EXIT_NOT_HEALTHY;
}

function logs(flags: Flags): number {
  const [target, role = 'sidecar'] = flags.positionals;
  if (target === undefined || (role !== 'sidecar' && role !== 'app')) {
    throw new SluiceError('USAGE', 'write it as: sluice lab logs [--name NAME] TARGET [sidecar|app]');
  }
  checkRoot();
  const lab = Lab.open(labName(flags));
  const file = target === 'injector' ? injectorLog(labPaths(lab.name)) : lab.logFile(target, role);
  try {
    print(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new SluiceError('LAB_TARGET_UNKNOWN', `${target} of lab ${lab.name} has no log of its ${role}`, {
      cause,
    });
  }
  return 0;
}

function list(_flags: Flags): number {
  checkRoot();
  const rows = labNames().map((name) => {
    const state = tryReadState(labPaths(name));
    const pods = state === undefined ? '' : `${state.topology.pods.length} pods`;
    return [name, state?.phase === 'up' ? 'up' : 'half built', pods, state?.createdAt ?? ''];
  });
  if (rows.length > 0) print(`${columns(rows)}\n`);
  return 0;
}

async function down(flags: Flags): Promise<number> {
  const name = labName(flags);
  const found = await takeLabDown(name);
  say(found ? `lab ${name} is down` : `there was no lab ${name}`);
  return 0;
}

function sayResult(result: ApplyResult): void {
  for (const { object, action } of result.changes) say(`${object} ${action}`);
  for (const pod of result.started) say(`pod ${pod} started`);
  const tables = result.tablesChanged === 1 ? '1 table changed' : `${result.tablesChanged} tables changed`;
  say(`${tables}; in force at every sidecar after ${Math.round(result.enforcedAfterMs)} ms`);
}

/** Warnings about pods that `up` and `apply` print; the rest is counted. */
const WARNINGS_SHOWN = 10;

/** Says what the policies of the lab's pods seem to forget. */
async function warnOfPods(name: string): Promise<void> {
  const warnings = podWarnings((await labStatus(name)).pods);
  for (const warning of warnings.slice(0, WARNINGS_SHOWN)) warn(warning);
  const more = warnings.length - WARNINGS_SHOWN;
  if (more > 0) warn(`${more} more like these: see sluice lab status${suffix(name)}`);
}

function labName(flags: Flags): string {
  return checkLabName(flags.text('name') ?? DEFAULT_LAB_NAME);
}

function namespaceOf(flags: Flags): string | undefined {
  return checkNamespaceFlag(flags.text('namespace'));
}

function suffix(name: string): string {
  return name === DEFAULT_LAB_NAME ? '' : ` --name ${name}`;
}

function wanted(files: readonly string[], what: string): readonly string[] {
  if (files.length > 0) return files;
  throw new SluiceError('USAGE', `${what} is missing: see \`sluice lab --help\``);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function say(line: string): void {
  print(`${printable(line)}\n`);
}

function warn(line: string): void {
  complain(`sluice: warning: ${printable(line)}`);
}
