/** The kustomization that docs/kubernetes.md has its readers write. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { kustomize, one, ROOT } from './render.ts';

test('the documented kustomization gives injector and sidecars the same image', async () => {
  const page = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8');
  const [, kustomization = ''] = /```yaml\n(# kustomization\.yaml\n[\s\S]+?)```/.exec(page) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'sluice-install-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'kustomization.yaml'), kustomization);
  cpSync(join(ROOT, 'manifests'), join(folder, 'sluice/manifests'), { recursive: true });

  const { spec } = one(await kustomize(folder), 'Deployment') as never as {
    spec: {
      template: { spec: { containers: { image: string; env: { name: string; value?: string }[] }[] } };
    };
  };
  const [container] = spec.template.spec.containers;
  expect(container?.image).toBe('registry.example/sluice:0.1.0');
  expect(container?.env.find(({ name }) => name === 'SLUICE_SIDECAR_IMAGE')?.value).toBe(container?.image);
});
