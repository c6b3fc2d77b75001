/** Makes what the sidecar judges by, with the table that it kept on disk. */
import type { Logger } from 'pino';
import type { SidecarConfig } from '../config.ts';
import { Enforcement, LiveTable, TableFile } from '../table/index.ts';

/** What policy is enforced by. */
export interface State {
  readonly live: LiveTable;
  readonly enforcement: Enforcement;
  readonly file: TableFile;
}

/** Makes the state. Where the last table is on disk it is in force when this resolves; else everything is denied. */
export async function openState(config: SidecarConfig, log: Logger): Promise<State> {
  const live = new LiveTable();
  const enforcement = new Enforcement(live, config.nodePorts);
  const file = new TableFile(config.stateDir, (err) =>
    log.error({ err }, 'the table could not be kept on disk'),
  );
  await file.check().catch((err: Error) => {
    log.error(
      { err },
      `${config.stateDir} cannot keep the table: after a restart everything is denied until one arrives`,
    );
  });
  restoreTable(config, file, enforcement, log);
  return { live, enforcement, file };
}

/** A file that cannot be used changes nothing: everything stays denied. */
function restoreTable(config: SidecarConfig, file: TableFile, enforcement: Enforcement, log: Logger): void {
  try {
    const kept = file.load(config.podNamespace, config.podName);
    if (kept === undefined) {
      log.info('no table on disk: everything is denied until the first one arrives');
      return;
    }
    enforcement.replace(kept.table);
    enforcement.confirm(kept.savedAtMs);
    log.info({ revision: enforcement.revision }, 'the last table is in force again');
  } catch (err) {
    log.error({ err }, 'the table on disk cannot be used: everything is denied until one arrives');
  }
}
