/** Loaded before a command that is measured: says on descriptor 3 what the process has used, when it ends. */
import { writeSync } from 'node:fs';

const USAGE_FD = 3;

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  writeSync(USAGE_FD, JSON.stringify({ userCPUTime, systemCPUTime, maxRSS }));
});
