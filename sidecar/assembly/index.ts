/** Puts the other rooms together: the stages that `sidecar/run.ts` goes through, and who hears of whom. */

export { openAdmin } from './admin.ts';
export { openDataPath, watchBacklogs } from './data_path.ts';
export { Direct, readPathsInUse } from './direct.ts';
export { Effects } from './effects.ts';
export { exemptFrom } from './exempt.ts';
export { putRedirect } from './first_redirect.ts';
export { WatchedGate } from './gate.ts';
export { openGuard } from './guard.ts';
export { Leftovers } from './leftovers.ts';
export { readNameServers } from './name_servers.ts';
export { Outbound } from './outbound.ts';
export { openRecords } from './records.ts';
export { WatchedRedirect } from './redirect.ts';
export { openState } from './state.ts';
export { drain, drainTimeMs, takeDown, terminated } from './stop.ts';
export { TableFollower } from './table_follower.ts';
