/** `sluice completion`: prints the script that a shell completes command lines with. */
import { SluiceError } from '../../common/errors.ts';
import { createCommand, EXIT } from '../command.ts';
import { didYouMean } from '../likeness.ts';
import { SHELL_SCRIPTS, SHELLS } from './shell_scripts.ts';

/**
 * Runs the command.
 * @throws SluiceError `USAGE`
 */
export const runCompletion = createCommand({
  name: 'completion',
  help: `usage: sluice completion bash|zsh|fish

Prints the script by which a shell completes commands, flags, files, and names of contexts, namespaces, pods, workloads and Services.
  bash   eval "$(sluice completion bash)"          in ~/.bashrc
  zsh    source <(sluice completion zsh)           in ~/.zshrc, after compinit
  fish   sluice completion fish | source           in ~/.config/fish/config.fish
kubectl completes its plugin with the program kubectl_complete-sluice, which lies beside kubectl-sluice (kubectl 1.26 or later).
Names of a cluster are asked for with your own rights, for 1.5 s at most. The program by which your kubeconfig gets a credential has
3 s, no terminal and no input; one that has to ask (interactiveMode: Always) is not run. Where there are no names, nothing is offered.
`,
  flags: {},
  afterFlags: 'Exit code: 0 printed, 2 error.\n',
  wanted: () => 0,
  positionals: [SHELLS, 'nothing'],
  async run({ positionals }, { stdout }) {
    const [word, surplus] = positionals;
    const shell = SHELLS.find((one) => one === word);
    if (shell === undefined || surplus !== undefined)
      throw new SluiceError(
        'USAGE',
        `wants one shell, ${SHELLS.join(', ')}${word === undefined ? '' : didYouMean(word, SHELLS)} (see sluice completion --help)`,
      );
    await stdout.write(SHELL_SCRIPTS[shell]);
    return EXIT.yes;
  },
});
