/** Where the app's program is. */
import { join } from 'node:path';

/** The file that Node runs as the app of a pod: `node FILE TCP/80 UDP/53 …`. */
export const APP_SERVER = join(import.meta.dirname, 'app_server.ts');
