/** Settings of the collector. */
import type { OptionSpec, OptionValues } from '../../common/options.ts';
import type { FlowSettings } from './messages.ts';

/** Longest times and largest size that can be asked for: what a machine's clock and disk have at most. */
const MAX_HOURS = 24 * 366;
const MAX_DAYS = 3_660;
const MAX_MEGABYTES = 1024 * 1024;

/** Every option of the collector. */
export const FLOW_OPTIONS: readonly OptionSpec[] = [
  {
    env: 'SLUICE_FLOWS_DIR',
    flag: 'flows-dir',
    kind: { type: 'text' },
    description: 'Folder in which observed flows are kept. Not set: in memory, for 15 minutes',
  },
  {
    env: 'SLUICE_FLOWS_MINUTES_HOURS',
    flag: 'flows-minutes-hours',
    kind: { type: 'integer', min: 1, max: MAX_HOURS },
    default: '24',
    description:
      'How long observed flows are kept by the minute, hours. A file of one day goes when all of it is older',
  },
  {
    env: 'SLUICE_FLOWS_HOURS_DAYS',
    flag: 'flows-hours-days',
    kind: { type: 'integer', min: 1, max: MAX_DAYS },
    default: '30',
    description: 'How long observed flows are kept by the hour, and single events of them, days',
  },
  {
    env: 'SLUICE_FLOWS_MEGABYTES',
    flag: 'flows-megabytes',
    kind: { type: 'integer', min: 1, max: MAX_MEGABYTES },
    default: '900',
    description: 'Size of all files of observed flows, MiB. With more the oldest go first',
  },
];

/** Reads them. */
export function flowSettings(values: OptionValues): FlowSettings {
  const dir = values.optionalText('SLUICE_FLOWS_DIR');
  return {
    ...(dir === undefined ? {} : { dir }),
    minutesHours: values.integer('SLUICE_FLOWS_MINUTES_HOURS'),
    hoursDays: values.integer('SLUICE_FLOWS_HOURS_DAYS'),
    maxMegabytes: values.integer('SLUICE_FLOWS_MEGABYTES'),
  };
}
