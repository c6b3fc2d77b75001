/** A frame as one line of JSON. What many tables have in common is put into text once for all of them. */
import type { InjectorFrame } from '../policy/frames.ts';

/** Texts of immutable objects that are in the tables of many pods: groups, their changes, identities, Services. */
const texts = new WeakMap<object, string>();

function sharedText(part: object): string {
  const known = texts.get(part);
  if (known !== undefined) return known;
  const made = JSON.stringify(part);
  texts.set(part, made);
  return made;
}

function recordText(record: Readonly<Record<string, object | null>>): string {
  const entries = Object.entries(record).map(
    ([key, value]) => `${JSON.stringify(key)}:${value === null ? 'null' : sharedText(value)}`,
  );
  return `{${entries.join()}}`;
}

interface Parts {
  readonly groups?: Readonly<Record<string, object>>;
  readonly pods?: Readonly<Record<string, object | null>>;
  readonly services?: Readonly<Record<string, object | null>>;
}

function tableText({ groups, pods, services, ...own }: Parts): string {
  const fields = [JSON.stringify(own).slice(1, -1)];
  if (groups !== undefined) fields.push(`"groups":${recordText(groups)}`);
  if (pods !== undefined) fields.push(`"pods":${recordText(pods)}`);
  if (services !== undefined) fields.push(`"services":${sharedText(services)}`);
  return `{${fields.join()}}`;
}

/** The line, newline included. It says what `JSON.stringify` says; the order of keys may be another. */
export function frameLine(frame: InjectorFrame): string {
  switch (frame.type) {
    case 'snapshot':
      return `{"type":"snapshot","table":${tableText(frame.table)}}\n`;
    case 'delta':
      return `{"type":"delta","delta":${tableText(frame.delta)}}\n`;
    default:
      return `${JSON.stringify(frame)}\n`;
  }
}
