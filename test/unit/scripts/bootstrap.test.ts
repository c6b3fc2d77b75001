import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const SCRIPTS = join(import.meta.dirname, '../../../scripts');

/** What `npm ci` leaves behind, and a log of its runs. */
const GOOD_NPM = `#!/bin/sh
echo "$@" >>npm.log
sleep 0.2
mkdir -p node_modules/.bin
printf '#!/bin/sh\\necho v24.0.0\\n' >node_modules/.bin/node
chmod +x node_modules/.bin/node
`;

/** A project with the real scripts, and programs of its own in front of the machine's. */
interface FakeProject {
  readonly dir: string;
  /** Adds a program to the front of PATH. */
  program(name: string, text: string): void;
  /** Runs the bootstrap to its end. */
  bootstrap(): Promise<{ readonly code: number | null; readonly output: string }>;
  /** How often npm was run. */
  npmRuns(): number;
}

function fakeProject(): FakeProject {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bootstrap-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(SCRIPTS, join(dir, 'scripts'), { recursive: true });
  for (const folder of ['bin', 'native']) mkdirSync(join(dir, folder));
  writeFileSync(join(dir, 'package-lock.json'), '{}');
  writeFileSync(join(dir, 'native/build.sh'), 'touch built\n');
  const program = (name: string, text: string) => {
    writeFileSync(join(dir, 'bin', name), text);
    chmodSync(join(dir, 'bin', name), 0o755);
  };
  program('node', '#!/bin/sh\necho v20.0.0\n');
  program('npm', GOOD_NPM);
  return {
    dir,
    program,
    async bootstrap() {
      const PATH = `${join(dir, 'node_modules/.bin')}:${join(dir, 'bin')}:${process.env.PATH}`;
      const child = spawn('sh', [join(dir, 'scripts/bootstrap.sh')], { env: { ...process.env, PATH } });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      const [code] = await once(child, 'close');
      return { code: typeof code === 'number' ? code : null, output };
    },
    npmRuns() {
      const log = join(dir, 'npm.log');
      return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').length : 0;
    },
  };
}

test('a fresh clone gets its packages and the native addon; a second run is quiet and does nothing', async () => {
  const project = fakeProject();
  expect(await project.bootstrap()).toEqual({ code: 0, output: 'bootstrap: installing packages (npm ci)\n' });
  expect(existsSync(join(project.dir, 'built'))).toBe(true);
  expect(await project.bootstrap()).toEqual({ code: 0, output: '' });
  expect(project.npmRuns()).toBe(1);
});

test('packages of another lockfile are installed again, however old that is', async () => {
  const project = fakeProject();
  await project.bootstrap();
  const lockfile = join(project.dir, 'package-lock.json');
  writeFileSync(lockfile, '{ "name": "other" }');
  utimesSync(lockfile, 0, 0);
  await project.bootstrap();
  expect(project.npmRuns()).toBe(2);
});

test('two at once install once', async () => {
  const project = fakeProject();
  const both = await Promise.all([project.bootstrap(), project.bootstrap()]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(project.npmRuns()).toBe(1);
});

test('an old Node is an error that says which one is needed', async () => {
  const project = fakeProject();
  project.program('node', '#!/bin/sh\necho v18.20.4\n');
  const { code, output } = await project.bootstrap();
  expect(output).toMatch(/is Node v18\.20\.4\. Install Node 20 or later/);
  expect(code).toBe(2);
  expect(project.npmRuns()).toBe(0);
});

test('after an install that was broken off, the lockfile of before counts for nothing', async () => {
  const project = fakeProject();
  await project.bootstrap();
  const lockfile = join(project.dir, 'package-lock.json');
  writeFileSync(lockfile, '{ "name": "other" }');
  project.program('npm', '#!/bin/sh\necho "$@" >>npm.log\nexit 1\n');
  expect(await project.bootstrap()).toMatchObject({ code: 1 });
  writeFileSync(lockfile, '{}');
  project.program('npm', GOOD_NPM);
  expect(await project.bootstrap()).toMatchObject({ code: 0 });
  expect(project.npmRuns()).toBe(3);
});

test('a failing npm ci shows what npm said', async () => {
  const project = fakeProject();
  project.program('npm', '#!/bin/sh\necho "the registry is away" >&2\nexit 1\n');
  const { code, output } = await project.bootstrap();
  expect(output).toContain('the registry is away\nbootstrap: error: npm ci failed');
  expect(code).toBe(1);
});

test('a pinned Node that was not installed is an error that says what it needs', async () => {
  const project = fakeProject();
  project.program('npm', '#!/bin/sh\nmkdir -p node_modules/.bin\n');
  const { code, output } = await project.bootstrap();
  expect(output).toMatch(/is 'none', not Node 24: npm left out the optional package/);
  expect(code).toBe(1);
});
