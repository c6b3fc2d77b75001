/** The command that says of policies what was observed: to be copied into a shell. */
import { type ObservedEnd, type ObservedFlow, OTHER_PEERS } from '../../flows/index.ts';
import { type FlowChoice, fullEnd } from '../flows/index.ts';

/** Names that a shell takes as they are. */
const PLAIN = /^[A-Za-z0-9_./:@%+,=-]+$/;

/** `sluice can shop/deploy/web shop/sts/db 5432 --lab x`; undefined for ends that no command can name. */
export function canCommand(
  { src, dst, port, protocol }: ObservedFlow,
  flows: FlowChoice,
): string | undefined {
  const [from, to] = [endOf(src), endOf(dst)];
  if (from === undefined || to === undefined || port === 0) return undefined;
  const where =
    flows.kind === 'lab'
      ? ['--lab', flows.lab]
      : flows.kind === 'cluster' && flows.context !== undefined
        ? ['--context', flows.context]
        : [];
  const words = [
    'sluice',
    'can',
    from,
    to,
    protocol === 'TCP' ? String(port) : `${port}/${protocol}`,
    ...where,
  ];
  return words.map(quoted).join(' ');
}

/** As `sluice can` takes it. A pod is nearer to the flow than its workload, whose pods may be others by now. */
function endOf(end: ObservedEnd): string | undefined {
  switch (end.kind) {
    case 'workload':
      return end.workload === undefined ? undefined : fullEnd(end);
    case 'external':
      return end.address === undefined || end.address === OTHER_PEERS ? 'internet' : end.address;
    case 'node':
    case 'unknown':
      return end.address;
    default:
      return end.kind satisfies never;
  }
}

function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
