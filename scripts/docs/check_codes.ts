/** The codes of check, from the table that the command itself uses. */
import { CHECK_CODE_LIST, CHECK_CODES } from '../../cli/check/index.ts';
import { markdownTable } from './regions.ts';

/** All of them in a table, then each by itself. */
export function checkCodes(): string {
  const table = markdownTable(
    ['code', 'finds'],
    CHECK_CODE_LIST.map((code) => [`[${code}](#${code.toLowerCase()})`, CHECK_CODES[code].title]),
  );
  const sections = CHECK_CODE_LIST.map((code) => {
    const { title, explanation, remedy } = CHECK_CODES[code];
    return `## ${code}\n\n**${title.slice(0, 1).toUpperCase()}${title.slice(1)}**\n\n${explanation}\n\n**What to do:** ${remedy}`;
  });
  return [table, ...sections].join('\n\n');
}
