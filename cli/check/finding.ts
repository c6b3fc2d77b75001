/** What `sluice check` found. */
import { printable } from '../../common/printable.ts';

/** One thing that was looked at. `error`: pods will be refused, or not enforced. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  /** Such as `namespace shop`, `pod shop/api`, `cluster`. */
  readonly subject: string;
  /** With what to do, unless it is ok. */
  readonly message: string;
}

export const ok = (subject: string, message: string): Finding => ({ level: 'ok', subject, message });
export const warning = (subject: string, message: string): Finding => ({
  level: 'warning',
  subject,
  message,
});
export const error = (subject: string, message: string): Finding => ({ level: 'error', subject, message });

/** A line each, as people read them. */
export function findingText({ level, subject, message }: Finding): string {
  return `${level.padEnd(7)}  ${printable(`${subject}: ${message}`)}\n`;
}
