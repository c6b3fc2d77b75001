/** The face of `cli/lab/`. */
export { runLab } from './commands.ts';
