/** Flows that are opened and held. */
import type { Path } from '../rig/path.ts';
import { APP_PORT, type Rig } from '../rig/rig.ts';

/** Opened at a time: the app's and the proxies' queues of new connections take that many. */
const BURST = 200;

/** Opens flows that have exchanged a line each; returns the names of their groups. */
export async function openFlows(rig: Rig, path: Path, count: number): Promise<readonly string[]> {
  const groups: string[] = [];
  for (let opened = 0; opened < count; opened += BURST) {
    const group = `${path.name}-${crypto.randomUUID()}`;
    groups.push(group);
    const flows = await rig.agent.ask({
      do: 'open',
      group,
      count: Math.min(BURST, count - opened),
      address: rig.address(path),
      port: APP_PORT,
      work: { kind: 'hold' },
    });
    const failed = flows.find((flow) => flow.state !== 'open');
    if (failed !== undefined)
      throw new Error(`${path.name}: a flow of ${count} was not opened: ${failed.error ?? failed.state}`);
    rig.signal.throwIfAborted();
  }
  return groups;
}

/** Resets flows: nothing of them waits for a second packet. */
export async function endFlows(rig: Rig, groups: readonly string[]): Promise<void> {
  for (const group of groups) await rig.agent.ask({ do: 'reset', group });
}
