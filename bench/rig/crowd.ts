/** Many sidecars on one machine, each in a pod of its own without an app, in a lab that goes with them. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { guardLab, Lab, labPaths, type ProcessId } from '../../lab/index.ts';
import { writeManifests } from './manifest_folder.ts';
import { crowdManifests, crowdPod } from './manifests.ts';

/** Started at a time: a start is mostly processor time. */
const AT_A_TIME = 4;

/**
 * The sidecars run from a copy of Node, as they have an image of their own on a node: its pages are theirs, and none of the other Node
 * programs that are at work here. Takes the place of the program that the lab starts; see `SidecarOptions.wrapper`.
 */
const RUN_COPY = ['sh', '-c', 'shift; exec "$0" "$@"'];

/** What a crowd is made of. */
export interface CrowdSpec {
  /** Of its lab. */
  readonly name: string;
  readonly pods: number;
  /** Of each pod. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The bundled sidecar; undefined: its sources. */
  readonly sidecarMain: string | undefined;
  readonly signal: AbortSignal;
}

/** The crowd. The caller closes it; a watchdog does if this process dies before. */
export class Crowd {
  readonly #lab: Lab;
  readonly #spec: CrowdSpec;
  readonly #node: string;
  readonly #release: () => void;
  readonly #sidecars: ProcessId[] = [];

  private constructor(lab: Lab, spec: CrowdSpec, node: string, release: () => void) {
    this.#lab = lab;
    this.#spec = spec;
    this.#node = node;
    this.#release = release;
  }

  /** Builds the pods; no sidecar runs yet. */
  static async open(spec: CrowdSpec): Promise<Crowd> {
    const { name, signal } = spec;
    const release = guardLab(name);
    const { folder, remove } = writeManifests(crowdManifests(spec.pods, spec.annotations));
    let lab: Lab | undefined;
    try {
      lab = await Lab.up({ name, paths: [folder], bare: true, signal });
      const node = join(labPaths(name).folder, 'node');
      copyFileSync(process.execPath, node);
      return new Crowd(lab, spec, node, release);
    } catch (error) {
      await lab?.down();
      release();
      throw error;
    } finally {
      remove();
    }
  }

  /** Those that run. */
  get sidecars(): readonly ProcessId[] {
    return this.#sidecars;
  }

  /** Starts sidecars until so many run and have their tables in force. */
  async growTo(count: number): Promise<void> {
    const { sidecarMain: main, signal } = this.#spec;
    let next = this.#sidecars.length;
    const startInTurn = async (): Promise<void> => {
      while (next < count) {
        const pod = crowdPod(next);
        next += 1;
        signal.throwIfAborted();
        const id = await this.#lab.startSidecar(pod, {
          wrapper: [...RUN_COPY, this.#node],
          ...(main === undefined ? {} : { main }),
        });
        this.#sidecars.push(id);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, startInTurn));
    await this.#lab.waitEnforced();
  }

  async close(): Promise<void> {
    await this.#lab.down();
    this.#release();
  }
}
