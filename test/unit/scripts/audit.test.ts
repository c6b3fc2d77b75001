/** `npm run audit`: what it makes of npm's answers, and that no answer is not a good one. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../../scripts/audit.ts');

const SIGNED = { invalid: [], missing: [] };
const CLEAN = { auditReportVersion: 2, vulnerabilities: {}, metadata: { vulnerabilities: { total: 0 } } };

/** Runs the script with an npm that prints these, and ends so. */
function audit(signatures: object, advisories: object, exit = 0) {
  const bin = mkdtempSync(join(tmpdir(), 'sluice-audit-'));
  onTestFinished(() => rmSync(bin, { recursive: true, force: true }));
  writeFileSync(join(bin, 'signatures'), JSON.stringify(signatures));
  writeFileSync(join(bin, 'advisories'), JSON.stringify(advisories));
  writeFileSync(
    join(bin, 'npm'),
    `#!/bin/sh\ncase "$*" in\n  'audit signatures --json') cat ${bin}/signatures ;;\n  'audit --json') cat ${bin}/advisories ;;\n  *) exit 9 ;;\nesac\nexit ${exit}\n`,
  );
  chmodSync(join(bin, 'npm'), 0o755);
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  return { code: status, lines: stdout.trimEnd().split('\n') };
}

test('says that all is well when both audits say so', () => {
  expect(audit(SIGNED, CLEAN)).toEqual({
    code: 0,
    lines: [
      'signatures: the registry has signed every package and version that is installed',
      'advisories: nothing is known against any package',
    ],
  });
});

test('names packages with a wrong signature, or none', () => {
  const { code, lines } = audit(
    {
      invalid: [
        { code: 'EINTEGRITYSIGNATURE', name: 'pino', version: '10.4.0', location: 'node_modules/pino' },
      ],
      missing: [{ name: 'yaml', version: '2.9.1', location: 'node_modules/yaml' }],
    },
    CLEAN,
  );
  expect(code).toBe(1);
  expect(lines).toContain('signatures: pino@10.4.0 is not what was signed');
  expect(lines).toContain('signatures: yaml@2.9.1 has no signature');
});

test('names what is known against packages, and by way of which others', () => {
  const { code, lines } = audit(SIGNED, {
    auditReportVersion: 2,
    vulnerabilities: {
      jsep: {
        severity: 'high',
        range: '<1.7.0',
        via: [{ source: 1, title: 'Prototype pollution', url: 'https://example.com/1' }],
      },
      'jsonpath-plus': { severity: 'high', range: '*', via: ['jsep'] },
    },
  });
  expect(code).toBe(1);
  expect(lines).toContain('advisories: jsep <1.7.0 (high): Prototype pollution');
  expect(lines).toContain('advisories: jsonpath-plus * (high): by way of jsep');
});

test('says that the registry cannot answer, in words of its own exit code', () => {
  const { code, lines } = audit(
    { error: { code: 'ENOTFOUND', summary: 'request to https://keys.example failed' } },
    { message: '405 Method Not Allowed - POST /-/npm/v1/security/advisories/bulk', statusCode: 405 },
  );
  expect(code).toBe(2);
  expect(lines).toEqual([
    'signatures: the registry cannot answer, nothing was checked: request to https://keys.example failed',
    'advisories: the registry cannot answer, nothing was checked: 405 Method Not Allowed - POST /-/npm/v1/security/advisories/bulk',
  ]);
});

test('a good report of an npm that failed is not believed', () => {
  const { code, lines } = audit(SIGNED, CLEAN, 1);
  expect(code).toBe(2);
  expect(lines[0]).toBe('signatures: npm did not end as it should, nothing was checked: exit code 1');
});

test('what one audit found counts, whatever the other cannot answer', () => {
  expect(audit({ invalid: [], missing: [{ name: 'a', version: '1.0.0' }] }, {}).code).toBe(1);
});

test('the real npm says that a registry is not there, and it is not taken for a good answer', () => {
  const nobody = 'http://127.0.0.1:1';
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT], {
    encoding: 'utf8',
    env: {
      ...process.env,
      npm_config_registry: nobody,
      npm_config_proxy: nobody,
      npm_config_https_proxy: nobody,
      npm_config_fetch_retries: '0',
    },
  });
  expect(status).toBe(2);
  expect(stdout).toMatch(/^signatures: the registry cannot answer, nothing was checked: .*\n/);
  expect(stdout).toMatch(/^advisories: the registry cannot answer, nothing was checked: .*\n/m);
});
