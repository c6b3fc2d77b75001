/** Asks the injector's other replicas over HTTP, at their status ports. */
import { get } from 'node:http';
import type { Shape } from '../../../common/shape.ts';

/** A replica that does not answer in this time counts for nothing, ms. */
const ANSWER_MS = 2_000;

/** No answer is larger: counts of some 50,000 policies, bytes. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** A page of the status port, and the form of what it says. */
export interface ReplicaPage<T> {
  readonly path: string;
  readonly shape: Shape<T>;
}

/** Asks replicas at these addresses; those that do not answer, or answer something else, are left out. */
export async function askReplicas<T>(
  addresses: readonly string[],
  port: number,
  page: ReplicaPage<T>,
): Promise<T[]> {
  const answers = await Promise.all(
    addresses.map((address) => askReplica(address, port, page).catch(() => undefined)),
  );
  return answers.filter((answer) => answer !== undefined);
}

/** Reads the answer of a replica. @throws Error when it has another form */
export function readAnswer<T>(json: string, shape: Shape<T>): T {
  const advice = 'do all replicas run the same version of Sluice?';
  return shape.readJson(json, 'the answer of a replica', (problem) => new Error(`${problem}: ${advice}`));
}

/** Asks one replica. @throws Error when it does not answer, or answers something else */
export function askReplica<T>(host: string, port: number, { path, shape }: ReplicaPage<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = get({ host, port, path, agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) response.destroy(new Error('too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          resolve(readAnswer(text, shape));
        } catch (error) {
          reject(error);
        }
      });
    });
    asked.on('error', reject);
  });
}
