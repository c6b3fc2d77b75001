/** `sluice lab status`, `logs` and `list`: what is there. */
import { readFileSync } from 'node:fs';
import { SluiceError } from '../../common/errors.ts';
import {
  checkRoot,
  describeStatus,
  injectorLog,
  Lab,
  labNames,
  labPaths,
  labStatus,
  tryReadState,
} from '../../lab/index.ts';
import { choice, createCommand, EXIT } from '../command.ts';
import { tableText } from '../terminal/index.ts';
import { checkCount, labName, NAME_FLAG } from './lab_flags.ts';

/** Names the form of the JSON: docs/schema/lab-status.v1.json. */
const STATUS_SCHEMA = 'sluice.dev/lab-status/v1';

const OUTPUTS = ['text', 'json'] as const;

/** Says whether all is in force. */
export const runStatus = createCommand({
  name: 'lab status',
  help: `usage: sluice lab status [--name NAME] [-o text|json]

Says what of a lab runs, and how far each sidecar is.
`,
  flags: {
    ...NAME_FLAG,
    output: { short: 'o', value: 'FORMAT', help: 'text (the default) or json', choices: OUTPUTS },
  },
  afterFlags:
    'Exit code: 0 every process runs, every table is in force and no manifest is broken; 1 not so; 2 error.\n',
  wanted: () => 0,
  async run(values, { stdout }) {
    checkCount(values, 0, 'lab status');
    const output = choice(values.text('output') ?? 'text', OUTPUTS, '-o', 'lab status');
    checkRoot();
    const found = await labStatus(labName(values));
    await stdout.write(
      output === 'json'
        ? `${JSON.stringify({ schema: STATUS_SCHEMA, ...found }, null, 2)}\n`
        : describeStatus(found),
    );
    return found.healthy ? EXIT.yes : EXIT.no;
  },
});

const ROLES = ['sidecar', 'app'] as const;

/** Prints a log. */
export const runLogs = createCommand({
  name: 'lab logs',
  help: `usage: sluice lab logs [--name NAME] TARGET [sidecar|app]

Prints the log of a pod's sidecar, or of its app. TARGET injector: that of the injector.
`,
  flags: NAME_FLAG,
  afterFlags: 'Exit code: 0 printed, 2 error.\n',
  wanted: ({ length }) => length,
  positionals: ['target', ROLES, 'nothing'],
  async run(values, { stdout }) {
    checkCount(values, 2, 'lab logs');
    const [target, role = 'sidecar'] = values.positionals;
    const known = ROLES.find((one) => one === role);
    if (target === undefined || known === undefined)
      throw new SluiceError('USAGE', 'write it as: sluice lab logs [--name NAME] TARGET [sidecar|app]');
    checkRoot();
    const lab = Lab.open(labName(values));
    const file = target === 'injector' ? injectorLog(labPaths(lab.name)) : lab.logFile(target, known);
    await stdout.write(readLog(file, target, lab.name, known));
    return EXIT.yes;
  },
});

/** @throws SluiceError `LAB_TARGET_UNKNOWN` */
function readLog(file: string, target: string, lab: string, role: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('LAB_TARGET_UNKNOWN', `${target} of lab ${lab} has no log of its ${role}`, {
      cause,
    });
  }
}

/** Lists the labs of the machine. */
export const runList = createCommand({
  name: 'lab list',
  help: `usage: sluice lab list

Lists all labs of this machine: name, state, pods, when it was made.
`,
  flags: {},
  afterFlags: 'Exit code: 0, also where there is none; 2 error.\n',
  wanted: () => 0,
  async run(values, { stdout }) {
    checkCount(values, 0, 'lab list');
    checkRoot();
    const rows = labNames().map((name) => {
      const state = tryReadState(labPaths(name));
      const pods = state === undefined ? '' : `${state.topology.pods.length} pods`;
      return [name, state?.phase === 'up' ? 'up' : 'half built', pods, state?.createdAt ?? ''];
    });
    await stdout.write(tableText(rows));
    return EXIT.yes;
  },
});
