/** `npm run hostile`: what other tenants notice of one namespace that does what it can to the injector. */
import { parseArgs } from 'node:util';
import { type HostileOptions, isLittle, runHostile } from './control_plane/hostile_namespace.ts';

const HELP = `usage: npm run -s hostile -- [flags]

One namespace with costly policies that are edited without end, silent connections and clients that never stop asking, beside
quiet sidecars. The injector is a process of its own, with its webhook, over a cluster in its memory; the clients are real
connections over TLS on loopback. Prints one JSON document. No root; two processors with little else to do.

      --seconds N     default 60
      --quiet N       sidecars of other namespaces, default 200
      --pods N        pods of the cluster, default 3150
      --hostile N     pods of the hostile namespace, default 150
      --pipelining N  of these, clients that never stop asking, default 50
      --silent N      connections that say nothing, default 5000
      --edits N       edits of its policies a second, default 10
      --changes N     changes of pods elsewhere a second, default 20
  -h, --help          this text

Exit code: 0 others noticed little (99 of 100 changes within 250 ms more than before, the webhook within 1 s, less than
1 GiB; where other processes had the processor times may be longer by 'stretch', and by 'lateMs', which this process itself
was late); 1 they did.
`;

/** Ports on loopback, outside the ephemeral range. */
const PORTS = { tables: 15_010, webhook: 15_443 };

const QUIET_P99_MS = 250;
const WEBHOOK_MOST_MS = 1_000;
/** The limit in manifests/base/deployment.yaml. */
const MEMORY_BYTES = 1024 ** 3;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    quiet: { type: 'string', default: '200' },
    pods: { type: 'string', default: '3150' },
    hostile: { type: 'string', default: '150' },
    pipelining: { type: 'string', default: '50' },
    silent: { type: 'string', default: '5000' },
    edits: { type: 'string', default: '10' },
    changes: { type: 'string', default: '20' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else {
  const options: HostileOptions = {
    seconds: Number(values.seconds),
    quiet: Number(values.quiet),
    pods: Number(values.pods),
    hostilePods: Number(values.hostile),
    pipelining: Number(values.pipelining),
    silent: Number(values.silent),
    editsPerSecond: Number(values.edits),
    changesPerSecond: Number(values.changes),
  };
  const result = await runHostile(options, PORTS);
  process.stdout.write(`${JSON.stringify({ options, result }, null, 2)}\n`);
  const isWell =
    result.isAlive &&
    result.missed === 0 &&
    result.reconnects === 0 &&
    isLittle(result, { quietP99Ms: QUIET_P99_MS, webhookMs: WEBHOOK_MOST_MS }) &&
    result.webhookFailures === 0 &&
    result.residentBytes.most < MEMORY_BYTES;
  process.exit(isWell ? 0 : 1);
}
