/** Work that leaves no turn to timers ends with the time of --timeout all the same, with exit code 124. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  comparedEnds,
  createConnectivity,
  createNetworks,
  knownPods,
} from '../../../../cli/connectivity/index.ts';
import { lint } from '../../../../lint/index.ts';
import { createPlaces, type Manifests, manifestsOf, readManifestBytes } from '../../../../sources/index.ts';
import { pod, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

/** Reading so many policies in YAML takes seconds on any machine. */
const MANY = 6_000;

/** One file: there is no next one before which timers have their turn. */
function longFile(): string {
  const file = join(temporaryDirectory(), 'policies.yaml');
  const document = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: NAME, labels: {app: web, team: shop, tier: front}}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
    - from: [{podSelector: {matchLabels: {app: a}}}, {podSelector: {matchLabels: {app: b}}}]
      ports: [{protocol: TCP, port: 80}, {protocol: TCP, port: 443}, {protocol: UDP, port: 53}]
`;
  const text = Array.from({ length: MANY }, (_, index) => document.replace('NAME', `p${index}`));
  writeFileSync(file, text.join(''));
  return file;
}

test.each([
  ['lint', '-f', 'FILE'],
  ['can', '10.0.0.1', '10.0.0.2', '80', '-f', 'FILE'],
  ['describe', 'netpol/p1', '-n', 'shop', '-f', 'FILE'],
  ['diff', 'FILE', 'FILE'],
])('%s: one file that takes long', { timeout: 120_000 }, async (...words) => {
  const file = longFile();
  const argv = words.map((word) => (word === 'FILE' ? file : word));
  const { code, stdout, stderr } = await runSluice([...argv, '--timeout', '500ms']);
  expect({ code, stdout, stderr }).toEqual({
    code: 124,
    stdout: '',
    stderr: 'sluice: not done after 0.5 s (--timeout)\n',
  });
});

describe('the time is over in the midst of', () => {
  const over = new Error('over');
  /** Throws when it is called for the last of some times. */
  function endAfter(calls: number): () => void {
    let left = calls;
    return () => {
      left -= 1;
      if (left === 0) throw over;
    };
  }

  function shop(): Manifests {
    const items = [
      pod('shop/web', { labels: { app: 'web' }, ip: '10.0.0.1' }),
      pod('shop/api', { labels: { app: 'api' }, ip: '10.0.0.2' }),
      policy('shop/api', {
        podSelector: { matchLabels: { app: 'api' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'wbe' } } }], ports: [{ port: 80 }] }],
      }),
    ];
    const text = items.map((item) => JSON.stringify(item)).join('\n');
    return manifestsOf([readManifestBytes('shop.json', Buffer.from(text))]);
  }

  test('the documents of a file', () => {
    const text = Buffer.from('---\n'.repeat(3));
    expect(() => readManifestBytes('a.yaml', text, { beforeDocument: endAfter(3) })).toThrow(over);
  });

  test.each([1, 5, 20])('what lint asks, question %i', (calls) => {
    const manifests = shop();
    const input = {
      manifests,
      places: createPlaces(manifests.files),
      extent: 'files',
      now: 0,
      namespaceGiven: false,
    } as const;
    expect(lint(input)).not.toEqual([]);
    expect(() => lint({ ...input, beforeAnswer: endAfter(calls) })).toThrow(over);
  });

  test('the pods of a comparison', () => {
    const manifests = shop();
    const networks = createNetworks([]);
    const { pods } = knownPods(manifests);
    const side = { connectivity: createConnectivity(manifests.cluster, networks), pods };
    expect(() => comparedEnds({ ...side, beforePod: endAfter(2) }, side, networks)).toThrow(over);
  });
});
