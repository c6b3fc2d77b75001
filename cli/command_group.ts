/** A command that is several, such as `sluice lab`: each has its own flags and help. */
import { SluiceError } from '../common/errors.ts';
import { EXIT, type ShapedCommand, type Subcommand } from './command.ts';
import { didYouMean } from './likeness.ts';
import { foldText } from './terminal/index.ts';

/** The commands, described. */
export interface GroupSpec {
  /** As people write it. */
  readonly name: string;
  /** What the help has before the list of commands. Ends with a line end. */
  readonly help: string;
  readonly commands: readonly Subcommand[];
  /** What the help has after it. Ends with a line end. */
  readonly afterCommands: string;
}

/** Makes a command of commands. */
export function createCommandGroup({ name, help, commands, afterCommands }: GroupSpec): ShapedCommand {
  const width = Math.max(...commands.map((command) => command.name.length));
  const list = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}\n`).join('');
  const usage = `${help}\n${list}\n${afterCommands}`;
  const run = async (argv: readonly string[]): Promise<number> => {
    const [word, ...rest] = argv;
    if (word === undefined) {
      process.stderr.write(usage);
      return EXIT.error;
    }
    if (word === '-h' || word === '--help') {
      process.stdout.write(foldText(usage));
      return EXIT.yes;
    }
    // `sluice help lab up` comes as `lab up --help`, and `sluice lab help up` is the same.
    if (word === 'help') return await run([...rest, '--help']);
    const command = commands.find((one) => one.name === word);
    if (command !== undefined) return await command.run(rest);
    const hint = didYouMean(
      word,
      commands.map((one) => one.name),
    );
    throw new SluiceError(
      'USAGE',
      `${JSON.stringify(word)} is no ${name} command${hint || `: see \`sluice ${name} --help\``}`,
    );
  };
  return Object.assign(run, { shape: { help: usage, flags: {}, positionals: [], commands } });
}
