/** The rules of lint, from the rules themselves. */
import { RULES } from '../../lint/index.ts';
import { markdownTable } from './regions.ts';

/** All of them in a table, then each by itself. */
export function lintRules(): string {
  const table = markdownTable(
    ['code', 'severity', 'finds'],
    RULES.map(({ code, severity, title }) => [`[${code}](#${code.toLowerCase()})`, severity, title]),
  );
  const sections = RULES.map(
    ({ code, severity, title, explanation, remedy }) =>
      `## ${code}\n\n**${capital(title)}** (${severity})\n\n${explanation}\n\n**What to do:** ${remedy}`,
  );
  return [table, ...sections].join('\n\n');
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
