import { execFileSync } from 'node:child_process';
import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import {
  INJECTOR_PORTS,
  OWN_PORTS,
  SIDECAR_ENV,
  SIDECAR_NODE_FLAGS,
  SIDECAR_PORTS,
  STATE_DIR,
} from '../../../common/contract.ts';
import { INJECTOR_OPTIONS } from '../../../injector/config.ts';
import { SIDECAR_OPTIONS } from '../../../sidecar/config.ts';

const defaultOf = (options: readonly { env: string; default?: string }[], env: string) =>
  options.find((option) => option.env === env)?.default;

test('every variable that injection sets is an option of the sidecar', () => {
  const options = SIDECAR_OPTIONS.map(({ env }) => env);
  expect(SIDECAR_ENV.filter((env) => !options.includes(env))).toEqual([]);
});

test.each([
  ['SLUICE_INBOUND_PORT', String(SIDECAR_PORTS.inbound)],
  ['SLUICE_CANARY_PORT', String(SIDECAR_PORTS.canary)],
  ['SLUICE_ADMIN_PORT', String(SIDECAR_PORTS.admin)],
  ['SLUICE_STATE_DIR', STATE_DIR],
])('the default of %s is %s, as injection sets it', (env, value) => {
  expect(defaultOf(SIDECAR_OPTIONS, env)).toBe(value);
});

test.each([
  ['SLUICE_TABLES_PORT', String(INJECTOR_PORTS.tables)],
  ['SLUICE_OPERATOR_PORT', String(INJECTOR_PORTS.operator)],
  ['SLUICE_STATUS_PORT', String(INJECTOR_PORTS.status)],
])('the default of %s is %s', (env, value) => {
  expect(defaultOf(INJECTOR_OPTIONS, env)).toBe(value);
});

test('no two ports of the sidecar are the same', () => {
  expect(new Set(OWN_PORTS).size).toBe(OWN_PORTS.length);
});

test("the sidecar's flags are flags of this Node: the heap has half of the memory limit", () => {
  const script = 'console.log(v8.getHeapStatistics().heap_size_limit, process.constrainedMemory())';
  const said = execFileSync(process.execPath, [...SIDECAR_NODE_FLAGS, '-e', script], { encoding: 'utf8' });
  const [heap = 0, constrained = 0] = said.split(' ').map(Number);
  const limit = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  expect(heap / limit).toBeGreaterThan(0.45);
  expect(heap / limit).toBeLessThan(0.55);
});
