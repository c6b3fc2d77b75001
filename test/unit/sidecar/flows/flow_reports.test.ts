/** When windows are handed over, and what becomes of one that cannot be sent. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FlowWindow } from '../../../../flows/index.ts';
import { FlowCounts } from '../../../../sidecar/flows/flow_counts.ts';
import { FlowReports, WINDOW_MS } from '../../../../sidecar/flows/flow_reports.ts';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

/** Reports to a sink that takes windows while `open` says so. */
function reports() {
  const counts = new FlowCounts(Date.now());
  const sent: FlowWindow[] = [];
  const sink = { open: true, send: (window: FlowWindow) => sink.open && sent.push(window) > 0 };
  const running = new FlowReports(counts, sink);
  const add = () =>
    counts.add({
      direction: 'egress',
      outcome: 'allow',
      protocol: 'UDP',
      peer: '10.0.0.1',
      isPod: true,
      port: 53,
      reason: 'not-isolated',
      flows: 1,
      packets: 0,
      sent: 0,
      received: 0,
      millis: 0,
    });
  running.start();
  return { running, sink, sent, add };
}

test('every ten seconds there is a window, where something was counted', () => {
  const { running, sent, add } = reports();
  add();
  vi.advanceTimersByTime(3 * WINDOW_MS);
  add();
  vi.advanceTimersByTime(WINDOW_MS);
  expect(sent).toMatchObject([
    { from: 0, to: WINDOW_MS },
    { from: 3 * WINDOW_MS, to: 4 * WINDOW_MS },
  ]);
  running.close();
});

test('a window that cannot be sent goes with the next one', () => {
  const { running, sink, sent, add } = reports();
  sink.open = false;
  add();
  vi.advanceTimersByTime(WINDOW_MS);
  expect(sent).toEqual([]);
  sink.open = true;
  add();
  vi.advanceTimersByTime(WINDOW_MS);
  expect(sent).toMatchObject([{ from: 0, to: 2 * WINDOW_MS, counts: [{ flows: 2 }] }]);
  running.close();
});

test('at the end the last window is sent, and nothing after it', () => {
  const { running, sent, add } = reports();
  add();
  running.close();
  add();
  vi.advanceTimersByTime(5 * WINDOW_MS);
  expect(sent).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});
