/** Says when something waits to be received, so that nobody has to look: a thread waits for it, see readiness.c. */
import { errnoName } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { type Addon, loadAddon } from './addon.ts';
import { errnoMeaning } from './errno_error.ts';
import type { Netlink } from './netlink.ts';

/** Watches up to four sockets. The caller closes it before them. It does not keep the process alive. */
export class Readiness {
  readonly #addon: Addon;
  readonly #handle: object;

  /**
   * @param ready is called once for each `arm`, when something waits by then; once for several, where they come before it
   * @throws SluiceError `SOCKET_FAILED`, `SOCKET_DESCRIPTORS_EXHAUSTED` or `NATIVE_ADDON_MISSING`
   */
  constructor(sockets: readonly Pick<Netlink, 'fd'>[], ready: () => void, addon: Addon = loadAddon()) {
    this.#addon = addon;
    const fds = Int32Array.from(sockets, ({ fd }) => fd);
    const started = addon.readinessStart(fds, ready);
    if (typeof started === 'number') {
      const name = errnoName(started);
      const { code, hint } = errnoMeaning(name, 'thread');
      throw new SluiceError(code, `cannot start the thread that waits for reports: ${name}: ${hint}`);
    }
    this.#handle = started;
  }

  /** Has `ready` called as soon as something waits. */
  arm(): void {
    this.#addon.readinessArm(this.#handle);
  }

  /** `ready` is not called any more. */
  close(): void {
    this.#addon.readinessClose(this.#handle);
  }
}
