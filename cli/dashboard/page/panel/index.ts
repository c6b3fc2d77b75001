/** The panel at the side: all that is known of what was chosen. */

export { Panel } from './panel.tsx';
