/** `sluice lab exec`: runs a command in a pod of a lab. */
import { constants } from 'node:os';
import { SluiceError } from '../../common/errors.ts';
import { checkOwnLab, checkRoot, Lab } from '../../lab/index.ts';
import { createCommand, type RunCommand } from '../command.ts';
import { labName, NAME_FLAG } from './lab_flags.ts';

/** A shell's way to say that a signal ended a command. */
const SIGNAL_EXIT_BASE = 128;

/** How long the command may take to end once its time is over, ms; then it is killed. */
const END_MS = 2_000;

const execCommand = createCommand({
  name: 'lab exec',
  help: `usage: sluice lab exec [--name NAME] TARGET -- CMD...

Runs CMD in a pod (namespace/pod), on a node (node/NAME) or outside of the cluster (outside). Its exit code is returned.
`,
  flags: NAME_FLAG,
  afterFlags: 'Exit code: that of CMD, 2 error, 124 the time of --timeout is over: CMD is ended then.\n',
  wanted: ({ length }) => length,
  positionals: ['target', 'command'],
  cleansUp: true,
  async run(values, { signal }) {
    const { positionals, afterDashes = [] } = values;
    const [target, surplus] = positionals.slice(0, positionals.length - afterDashes.length);
    if (target !== undefined && surplus !== undefined)
      throw new SluiceError('USAGE', withDashes(target, surplus));
    if (target === undefined || afterDashes.length === 0)
      throw new SluiceError('USAGE', 'write it as: sluice lab exec [--name NAME] TARGET -- CMD…');
    checkRoot();
    const lab = Lab.open(labName(values));
    checkOwnLab(lab.name);
    const child = lab.spawnIn(target, afterDashes, { stdio: 'inherit' });
    // A terminal sends these to the command too; this process has to live to return its exit code.
    const ignore = (): void => undefined;
    const passOn = (one: NodeJS.Signals): void => void child.kill(one);
    process.on('SIGINT', ignore).on('SIGQUIT', ignore).on('SIGTERM', passOn).on('SIGHUP', passOn);
    let killer: NodeJS.Timeout | undefined;
    signal.addEventListener('abort', () => {
      child.kill();
      killer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    });
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, by) => {
        clearTimeout(killer);
        resolve(code ?? SIGNAL_EXIT_BASE + (by === null ? 0 : constants.signals[by]));
      });
    });
  },
});

/** Without `--` the flags of the command would be taken for ours. */
export const runExec: RunCommand = Object.assign(
  (argv: readonly string[]) => {
    const [target, command] = argv;
    const isBare = ![target, command].some((word) => word === undefined || word.startsWith('-'));
    if (isBare && !argv.includes('--'))
      return Promise.reject(new SluiceError('USAGE', withDashes(`${target}`, `${command}`)));
    return execCommand(argv);
  },
  { shape: execCommand.shape },
);

function withDashes(target: string, command: string): string {
  return `there is no -- before the command: write sluice lab exec ${target} -- ${command} …`;
}
