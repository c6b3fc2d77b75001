/** The sidecars of a lab: each is asked from inside its pod, where alone it shows who its peers are. */
import { SIDECAR_PORTS } from '../../../common/contract.ts';
import { outcomeOf } from '../../../common/run_tool.ts';
import { Lab } from '../../../lab/index.ts';
import { objectKey } from '../../../policy/index.ts';
import { type ReadContext, readInput, wholeCluster } from '../../input/index.ts';
import { MAX_PAGE_BYTES, PAGE_MS, type SidecarPod, type SidecarPods, sidecarPod } from './sidecar_pods.ts';

/** Runs in the pod's network namespace: asks, and prints the answer. One but 200, and 503 of /readyz, goes to stderr. */
const ASK = `
const [port, path, timeout] = process.argv.slice(1);
const asked = require('node:http').get({ host: '127.0.0.1', port, path, timeout: Number(timeout) }, (answer) => {
  const isGood = answer.statusCode === 200 || answer.statusCode === 503;
  process.exitCode = isGood ? 0 : 1;
  answer.pipe(isGood ? process.stdout : process.stderr);
});
asked.on('timeout', () => asked.destroy(new Error('no answer')));
asked.on('error', ({ message }) => { process.exitCode = 1; process.stderr.write(message); });
`;

/** @throws SluiceError `LAB_NOT_FOUND` */
export async function labPods(name: string, context: ReadContext): Promise<SidecarPods> {
  const { manifests } = await readInput({ kind: 'lab', lab: name }, wholeCluster, context);
  const known = manifests.cluster.pods;
  const lab = Lab.open(name);
  const { pods } = lab.topology;
  const podOf = (key: string): SidecarPod | undefined => {
    const pod = known.get(key);
    return pod && sidecarPod(pod);
  };
  return {
    where: `lab ${name}`,
    pods: pods.flatMap(({ key, hostNetwork }) => (hostNetwork ? [] : (podOf(key) ?? []))),
    names: new Map(
      pods.flatMap(({ key, ips, hostNetwork }) => {
        const pod = hostNetwork ? undefined : podOf(key);
        return pod === undefined ? [] : ips.map((ip) => [ip, pod] as const);
      }),
    ),
    async page({ namespace, name: pod }, path, signal) {
      const argv = ['-e', ASK, '--', String(SIDECAR_PORTS.admin), path, String(PAGE_MS)];
      const child = lab.spawnIn(objectKey(namespace, pod), [process.execPath, ...argv], {
        stdio: ['ignore', 'pipe', 'pipe'],
        signal,
      });
      const { status, stdout, stderr, over } = await outcomeOf(child, {
        timeMs: PAGE_MS,
        outputLength: MAX_PAGE_BYTES,
        signal: 'SIGKILL',
      });
      if (over === 'output') throw new Error(`its ${path} is too long`);
      if (status !== 0) throw new Error(over === 'time' ? 'no answer' : reasonOf(stderr));
      return stdout;
    },
  };
}

function reasonOf(stderr: string): string {
  return stderr.includes('ECONNREFUSED') ? 'its sidecar does not run' : (stderr.trim().split('\n')[0] ?? '');
}
