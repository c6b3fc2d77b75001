/** `sluice lab up` and `down`. */
import { Lab, takeLabDown } from '../../lab/index.ts';
import { createCommand, EXIT } from '../command.ts';
import {
  checkCount,
  FILE_FLAGS,
  labName,
  NAME_FLAG,
  nameSuffix,
  namespaceOf,
  wantedFiles,
  warn,
} from './lab_flags.ts';
import { warnOfPods } from './pod_warnings.ts';

/** Makes a lab of manifests. What was built is removed when it is interrupted, or its time is over. */
export const runUp = createCommand({
  name: 'lab up',
  help: `usage: sluice lab up -f PATH... [-n NAMESPACE] [--name NAME] [--external ADDRESS...]

Makes a lab of manifests: each pod is a network namespace behind its own sidecar. Returns when every sidecar enforces its table.
`,
  flags: {
    ...FILE_FLAGS,
    ...NAME_FLAG,
    external: {
      value: 'ADDRESS',
      help: 'an address outside the cluster, for TARGET "outside"; may be repeated',
    },
  },
  afterFlags:
    'Exit code: 0 it is up, 2 it could not be made, 124 the time of --timeout is over; nothing is left of it then.\n',
  wanted: () => 0,
  cleansUp: true,
  async run(values, { stdout, progress, signal }) {
    checkCount(values, 0, 'lab up');
    const name = labName(values);
    const external = values.list('external').flatMap((text) => text.split(','));
    const interrupt = new AbortController();
    const onSignal = (): void => interrupt.abort();
    for (const one of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(one, onSignal);
    const startedAt = performance.now();
    await Lab.up({
      name,
      paths: wantedFiles(values, '-f DIR', 'lab up'),
      namespace: namespaceOf(values),
      external: external.length === 0 ? undefined : external,
      signal: AbortSignal.any([interrupt.signal, signal]),
      progress: (line) => progress.say(line),
      warn,
    });
    progress.end();
    const took = ((performance.now() - startedAt) / 1000).toFixed(1);
    await stdout.write(`lab ${name} is up after ${took} s: every sidecar enforces its table\n`);
    await warnOfPods(name);
    const suffix = nameSuffix(name);
    await stdout.write(
      `try: sluice lab exec${suffix} NAMESPACE/POD -- CMD…   end: sluice lab down${suffix}\n`,
    );
    return EXIT.yes;
  },
});

/** Removes a lab. */
export const runDown = createCommand({
  name: 'lab down',
  help: `usage: sluice lab down [--name NAME]

Removes a lab: its network namespaces, processes and files.
`,
  flags: NAME_FLAG,
  afterFlags: 'Exit code: 0 it is gone, 2 error, 124 the time of --timeout is over: run it again.\n',
  wanted: () => 0,
  async run(values, { stdout }) {
    checkCount(values, 0, 'lab down');
    const name = labName(values);
    const found = await takeLabDown(name);
    await stdout.write(found ? `lab ${name} is down\n` : `there was no lab ${name}\n`);
    return EXIT.yes;
  },
});
