/** How wide the terminal is. */

/** Columns of the terminal that standard output is; undefined in a pipe, where lines have any length. */
export function terminalWidth(stream: NodeJS.WriteStream = process.stdout): number | undefined {
  return stream.isTTY ? stream.columns : undefined;
}
