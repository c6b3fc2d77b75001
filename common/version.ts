/** The version of Sluice, from package.json; bundles carry it in themselves. */
import manifest from '../package.json' with { type: 'json' };

/** Such as `0.1.0`. */
export const VERSION = manifest.version;
