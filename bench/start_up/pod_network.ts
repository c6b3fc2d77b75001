/** A node with a bridge, and pods at it, each a network namespace with a cable: as bridge plug-ins lay it out. Needs root. */
import { spawnSync } from 'node:child_process';

/** The address of a pod. */
export function addressOf(index: number): string {
  return `10.66.${1 + (index >> 8)}.${index & 255}`;
}

const NODE_ADDRESS = '10.66.0.1';

/** Makes and removes them. */
export class PodNetwork {
  readonly node: string;
  readonly nodeAddress = NODE_ADDRESS;
  readonly #name: string;
  #pods = 0;
  #isOpen = false;

  /** @param name of the namespaces: nobody else has one that begins so */
  constructor(name: string) {
    this.#name = name;
    this.node = `${name}-node`;
  }

  /** The network namespace of a pod. */
  pod(index: number): string {
    return `${this.#name}-${index}`;
  }

  /** Makes the node and its pods; all of their addresses are usable when this returns. */
  async open(pods: number): Promise<void> {
    this.#isOpen = true;
    this.#pods = pods;
    ip('netns', 'add', this.node);
    const inNode = (...args: string[]): void => ip('-n', this.node, ...args);
    inNode('link', 'set', 'lo', 'up');
    inNode('link', 'add', 'br0', 'type', 'bridge');
    inNode('address', 'add', `${NODE_ADDRESS}/16`, 'dev', 'br0');
    inNode('link', 'set', 'br0', 'up');
    for (let index = 0; index < pods; index += 1) {
      const netns = this.pod(index);
      ip('netns', 'add', netns);
      inNode('link', 'add', `pod${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
      inNode('link', 'set', `pod${index}`, 'master', 'br0', 'up');
      ip('-n', netns, 'link', 'set', 'lo', 'up');
      ip('-n', netns, 'address', 'add', `${addressOf(index)}/16`, 'dev', 'eth0');
      ip('-n', netns, 'link', 'set', 'eth0', 'up');
      ip('-n', netns, 'route', 'add', 'default', 'via', NODE_ADDRESS);
    }
  }

  /** Removes what there is. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (let index = 0; index < this.#pods; index += 1)
      spawnSync('ip', ['netns', 'del', this.pod(index)], { stdio: 'ignore' });
    spawnSync('ip', ['netns', 'del', this.node], { stdio: 'ignore' });
  }
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`\`ip ${args.join(' ')}\` failed: ${stderr}`);
}
