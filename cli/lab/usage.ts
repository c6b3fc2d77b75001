/** Help texts of the `lab` commands, and how their command lines are read. */

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { firstSentenceOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

/** `sluice lab --help`. */
export const LAB_USAGE = `usage: sluice lab <command> [options]

  up -f DIR|FILE… [-n NAMESPACE] [--name NAME] [--external ADDRESS…]
                        make a lab of manifests: each pod a network namespace behind its own sidecar
  exec [--name NAME] TARGET -- CMD…
                        run CMD in a pod (namespace/pod), on a node (node/NAME) or outside; its exit code is returned
  apply [--name NAME] [-f DIR|FILE… [-n NAMESPACE]]
                        add or change objects, start what has died; returns when every sidecar enforces it
  delete [--name NAME] -f DIR|FILE… [-n NAMESPACE]
                        remove objects
  status [--name NAME] [-o text|json]
                        exit 0 when every process runs, every table is in force and no manifest is broken; 1 when not
  logs [--name NAME] TARGET [sidecar|app]
                        print a pod's log (TARGET injector: the injector's)
  list                  names of all labs
  down [--name NAME]    remove the lab: namespaces, processes, files

  -f, --file PATH       manifests: YAML or JSON, several documents; - for standard input; may be repeated
  -n, --namespace NS    the namespace of objects that do not say theirs, default "default"
  --name NAME           which lab, default "lab"; labs of different names do not meet, addresses may repeat
  --external ADDRESS    an address outside the cluster, for TARGET "outside"; may be repeated
  -o, --output FORMAT   text or json

Needs root. Workloads that come without pods get some, at most 5 of each; they, and pods without a status, get addresses of
their node's spec.podCIDR (default 10.244.N.0/24). A pod whose status has a phase and no podIP is left out. The app
of a pod serves its containerPorts: it answers each line with the address of the peer it sees. Every node serves the
Services that have a spec.clusterIP; where a Service has a selector and no EndpointSlice, its endpoints are derived from
the pods. SLUICE_LAB_DIR says where labs are kept, default /run/sluice/lab; SLUICE_MAX_POLICY_ENTRIES
and the other bounds on policies hold as in sluice can, and SLUICE_LARGE_GROUP as for the injector, from its start.
Exit code: 2 for errors, else as above.
`;

/** Checked flags of one command line. */
export interface Flags {
  readonly positionals: readonly string[];
  readonly text: (name: string) => string | undefined;
  readonly list: (name: string) => readonly string[];
}

const OPTIONS = {
  file: { type: 'string', short: 'f', multiple: true },
  namespace: { type: 'string', short: 'n' },
  name: { type: 'string' },
  external: { type: 'string', multiple: true },
  output: { type: 'string', short: 'o' },
} as const satisfies ParseArgsOptionsConfig;

/** A flag of the `lab` commands. */
export type FlagName = keyof typeof OPTIONS;

/**
 * Reads the flags that a command has. `-f a b` is taken as `-f a -f b`, as shells expand `-f *.yaml`.
 * @throws SluiceError `USAGE`
 */
export function readFlags(argv: readonly string[], allowed: readonly FlagName[], positionals: number): Flags {
  const options: ParseArgsOptionsConfig = {};
  for (const name of allowed) options[name] = OPTIONS[name];
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    const values = parsed.values as Readonly<Record<string, string | string[] | undefined>>;
    const extra = parsed.positionals.slice(positionals);
    if (extra.length > 0 && !(allowed.includes('file') && values.file !== undefined)) {
      throw new SluiceError(
        'USAGE',
        `${JSON.stringify(extra[0])} is one argument too many: see \`sluice lab --help\``,
      );
    }
    return {
      positionals: parsed.positionals.slice(0, positionals),
      text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
      list: (name) => [values[name] ?? [], name === 'file' ? extra : []].flat(),
    };
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const message = firstSentenceOf(error);
    throw new SluiceError('USAGE', `${message}: see \`sluice lab --help\``, { cause: error });
  }
}
