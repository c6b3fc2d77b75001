/** Words and numbers for people. */
import type { ObservedFlow } from '../../../../flows/index.ts';
import { endOf } from './ends.ts';
import type { LinkState } from './links.ts';

/** What a state is called. */
export const STATE_WORDS: Readonly<Record<LinkState, string>> = {
  allow: 'allowed',
  deny: 'denied',
  cut: 'cut',
  audit: 'would be denied (audit)',
  unused: 'allowed, not used',
};

/** A mark in front of a count, so that a state is not told by its colour alone. */
export const STATE_MARKS: Readonly<Record<LinkState, string>> = {
  allow: '',
  deny: '✗',
  cut: '✂',
  audit: '!',
  unused: '·',
};

/** `312`, `9.1k`, `48k`, `3.1M`. */
export function countText(count: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const)
    if (count >= size) {
      const value = count / size;
      return `${value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)}${unit}`;
    }
  return String(count);
}

/** `48,210`. */
export function exactCount(count: number): string {
  return count.toLocaleString('en');
}

/** `1.2 MB`. */
export function bytesText(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const)
    if (bytes >= size) return `${(bytes / size).toFixed(bytes / size < 9.95 ? 1 : 0)} ${unit}`;
  return `${bytes} B`;
}

/** `2 s ago`. */
export function agoText(time: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(time)) / 1000));
  if (Number.isNaN(seconds)) return 'at an unknown time';
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

/** `TCP/8080`. */
export function portText({ protocol, port }: Pick<ObservedFlow, 'protocol' | 'port'>): string {
  return `${protocol}/${port}`;
}

/** What happened, in a sentence. A denial brings its own. */
export function sentenceOf(flow: ObservedFlow): string {
  if (flow.explanation !== undefined) return flow.explanation;
  const { src, dst, direction, policy, rule, isolating = [], reason } = flow;
  const what = `${endOf(src).name} → ${endOf(dst).name} ${portText(flow)}`;
  const by = policy === undefined ? '' : ` by ${policy}${rule === undefined ? '' : ` ${direction}[${rule}]`}`;
  switch (flow.outcome) {
    case 'allow':
      return policy === undefined
        ? `${what} allowed at ${direction}: ${reason}`
        : `${what} allowed at ${direction}${by}`;
    case 'audit':
      return `${what} passed at ${direction}, and policies in audit would deny it`;
    default: {
      const why = isolating.length > 0 ? `isolated by ${isolating.join(', ')}` : reason;
      return `${what} ${flow.outcome === 'cut' ? 'cut' : 'denied'} at ${direction}: ${why}`;
    }
  }
}
