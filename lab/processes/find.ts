/**
 * Finds a lab's processes by their marks, or by the network namespace they are in: nothing depends on whether the process
 * that started them still lives.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { LAB_FOLDER_MARK, LAB_PROCESS_MARK } from './marks.ts';
import { NETNS_FOLDER } from './netns.ts';
import { identify, type ProcessId } from './process.ts';

/**
 * Every process of a lab, by its mark or its namespace; never this process or one it descends from.
 * @param netns the lab's namespaces; with `markedToo` false only their processes are found
 */
export function findProcesses(lab: string, netns: readonly string[], markedToo: boolean): ProcessId[] {
  const namespaces = new Set(netns.map((name) => namespaceId(`${NETNS_FOLDER}/${name}`)));
  namespaces.delete(undefined);
  const mark = `${LAB_PROCESS_MARK}=${lab}`;
  const own = ancestors();
  const found: ProcessId[] = [];
  for (const pid of processIds()) {
    if (own.has(pid)) continue;
    const inside = namespaces.has(namespaceId(`/proc/${pid}/ns/net`));
    if (!inside && !(markedToo && environmentOf(pid).includes(mark))) continue;
    const id = identify(pid);
    if (id !== undefined) found.push(id);
  }
  return found;
}

/** The folders of all labs of this name that have live processes. */
export function labFoldersOf(lab: string): string[] {
  const own = ancestors();
  const folders = new Set<string>();
  for (const pid of processIds()) {
    if (own.has(pid)) continue;
    const environment = environmentOf(pid);
    if (!environment.includes(`${LAB_PROCESS_MARK}=${lab}`) || identify(pid) === undefined) continue;
    const mark = environment.find((entry) => entry.startsWith(`${LAB_FOLDER_MARK}=`));
    if (mark !== undefined) folders.add(mark.slice(LAB_FOLDER_MARK.length + 1));
  }
  return [...folders];
}

function processIds(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

function namespaceId(path: string): string | undefined {
  try {
    const stat = statSync(path);
    return `${stat.dev}:${stat.ino}`;
  } catch {
    return undefined;
  }
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

function ancestors(): ReadonlySet<number> {
  const found = new Set<number>();
  let pid = process.pid;
  while (pid > 0 && !found.has(pid)) {
    found.add(pid);
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      pid = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0);
    } catch {
      break;
    }
  }
  return found;
}
