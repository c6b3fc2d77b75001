/** What the other replicas' sidecars enforce: a sidecar is connected to one of them, and the one that writes has to add up. */
import { get } from 'node:http';
import { type ReplicaCounts, readCounts } from './replica_counts.ts';

/** A replica that does not answer in this time counts for nothing, ms. */
const ANSWER_MS = 2_000;

/** No answer is larger: counts of some 50,000 policies, bytes. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** Path of the counts on the status port. */
const ENFORCING_PATH = '/enforcing';

/** Asks replicas at these addresses; those that do not answer are left out. */
export async function askPeers(addresses: readonly string[], port: number): Promise<ReplicaCounts[]> {
  const answers = await Promise.all(addresses.map((address) => ask(address, port).catch(() => undefined)));
  return answers.filter((answer) => answer !== undefined);
}

function ask(host: string, port: number): Promise<ReplicaCounts> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = get({ host, port, path: ENFORCING_PATH, agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) response.destroy(new Error('too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          resolve(readCounts(text));
        } catch (error) {
          reject(error);
        }
      });
    });
    asked.on('error', reject);
  });
}
