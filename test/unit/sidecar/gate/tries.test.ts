import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Gate, type GateEvents } from '../../../../sidecar/gate/kernel/index.ts';
import { table } from '../../../builders/tables.ts';

// No nft is found there: every try fails.
beforeEach(() => void vi.stubEnv('PATH', '/nonexistent'));
afterEach(() => void vi.unstubAllEnvs());

/** Counts the tries that have failed. */
class Failures implements GateEvents {
  count = 0;

  unavailable(): void {
    this.count += 1;
  }

  failed(): void {
    this.count += 1;
  }

  inForce(): void {}
  closed(): void {}
  async beforeReplace(): Promise<void> {}
  replaced(): void {}
}

test('a table that comes during a try that fails has its own try at once', async () => {
  const failures = new Failures();
  const gate = new Gate({ deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 }, [], failures);

  const first = gate.enforce(table({ revision: 1 }), 1);
  await gate.enforce(table({ revision: 2 }), 2);
  gate.close();

  expect(failures.count).toBe(2);
  await first;
});
