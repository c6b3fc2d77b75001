import { expect, test } from 'vitest';
import { countBySeverity, lintJson, withoutBaseline } from '../../../lint/index.ts';
import { fileOf, lintFiles, SHOP } from './linting.ts';

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: back
  namespace: shop
spec:
  podSelector: {matchLabels: {tier: back}}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
`;

async function suppressedIn(text: string) {
  const { parted } = await lintFiles([SHOP, fileOf(text)]);
  return {
    codes: parted.findings.map(({ code }) => code),
    suppressed: parted.suppressed.map(({ finding, by, reason }) => [finding.code, by, reason]),
  };
}

test('without a suppression it is found', async () => {
  expect(await suppressedIn(POLICY)).toEqual({ codes: ['NP006'], suppressed: [] });
});

test.each([
  ['behind it', POLICY.replace('monitoring}}', 'monitoring}} # sluice-lint: ignore NP006 a reason')],
  ['before its item', POLICY.replace('    - names', '    # sluice-lint: ignore NP006 a reason\n    - names')],
  ['before the rule', POLICY.replace('  - from', '  # sluice-lint: ignore NP001, NP006: a reason\n  - from')],
  ['before the field', POLICY.replace('  ingress', '  # sluice-lint: ignore NP006 a reason\n  ingress')],
  ['at the head of the document', `# sluice-lint: ignore NP006 a reason\n${POLICY}`],
  [
    'at the head of a later document',
    `${POLICY.replaceAll('back', 'web').replace('tier', 'app').replace('  - from', '  - ports: [{port: http}]\n    from')}---\n# sluice-lint: ignore NP006 a reason\n${POLICY}`,
  ],
])('a comment %s suppresses it', async (_, text) => {
  expect(await suppressedIn(text)).toEqual({ codes: [], suppressed: [['NP006', 'comment', 'a reason']] });
});

test.each([
  ['of another rule', POLICY.replace('  ingress', '  # sluice-lint: ignore NP007 a reason\n  ingress')],
  ['of another field', POLICY.replace('  podS', '  # sluice-lint: ignore NP006 a reason\n  podS')],
  ['that names no code', POLICY.replace('  ingress', '  # sluice-lint: ignore all\n  ingress')],
])('a comment %s does not', async (_, text) => {
  expect((await suppressedIn(text)).codes).toEqual(['NP006']);
});

test('an annotation suppresses it, with or without a reason', async () => {
  const annotated = (text: string) =>
    POLICY.replace('spec:', `  annotations: {sluice.dev/lint-ignore: "${text}"}\nspec:`);
  expect(await suppressedIn(annotated('NP006,NP019'))).toEqual({
    codes: [],
    suppressed: [['NP006', 'annotation', undefined]],
  });
  expect((await suppressedIn(annotated('NP006 it finds ports'))).suppressed).toEqual([
    ['NP006', 'annotation', 'it finds ports'],
  ]);
});

test('a baseline hides what it has, and no more of it', async () => {
  const { parted, manifests } = await lintFiles([SHOP, fileOf(POLICY)]);
  const before = JSON.stringify(
    lintJson(parted, manifests.cluster.policies.size, countBySeverity(parted.findings)),
  );
  const again = `${POLICY}---\n${POLICY.replace('name: back', 'name: other').replace('tier: back', 'app: web')}`;
  const { parted: now } = await lintFiles([SHOP, fileOf(again)]);
  const left = withoutBaseline(now, before, 'baseline.json');
  expect(left.findings.map(({ object }) => object.key)).toEqual(['shop/other']);
  expect(left.suppressed.map(({ by }) => by)).toEqual(['baseline']);
  expect(() => withoutBaseline(now, '[]', 'baseline.json')).toThrow(
    expect.objectContaining({ code: 'USAGE' }),
  );
});
