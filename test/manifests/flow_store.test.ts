/** Where injectors keep observed flows, by what the manifests install. */
import { expect, test } from 'vitest';
import { WORKER_HEAP_MB } from '../../injector/collector/index.ts';
import { helm, kustomize, one, type Rendered } from './render.ts';
import { schemaFaults } from './schema.ts';

/** MiB that the injector's other work had before it collected flows. */
const TABLES_MEBIBYTES = 1024;

interface Deployment {
  readonly replicas: number;
  readonly strategy: object;
  readonly template: {
    readonly spec: {
      readonly securityContext: object;
      readonly volumes: readonly object[];
      readonly containers: readonly {
        readonly env: readonly { readonly name: string; readonly value?: string }[];
        readonly volumeMounts: readonly object[];
        readonly resources: { readonly limits: { readonly memory: string } };
      }[];
    };
  };
}

const deploymentOf = (objects: readonly Rendered[]) => one(objects, 'Deployment').spec as never as Deployment;

function containerOf(objects: readonly Rendered[]) {
  const [container] = deploymentOf(objects).template.spec.containers;
  if (container === undefined) throw new Error('no container');
  return { ...container, env: new Map(container.env.map(({ name, value }) => [name, value])) };
}

test.each(['default', 'high-availability', 'classic'])(
  'each injector of %s keeps them in an emptyDir that has room for all it may write',
  async (overlay) => {
    const objects = await kustomize(`manifests/overlays/${overlay}`);
    const { env, volumeMounts } = containerOf(objects);
    expect(volumeMounts).toEqual([{ name: 'flows', mountPath: env.get('SLUICE_FLOWS_DIR') }]);
    expect(env.get('SQLITE_TMPDIR')).toBe(env.get('SLUICE_FLOWS_DIR')); // nothing else can be written to
    const mebibytes = 2 * Number(env.get('SLUICE_FLOWS_MEGABYTES')) + 256;
    expect(deploymentOf(objects).template.spec.volumes).toEqual([
      { name: 'flows', emptyDir: { sizeLimit: `${mebibytes}Mi` } },
    ]);
  },
);

test('the memory limit has room for the thread that collects', async () => {
  const { resources } = containerOf(await kustomize('manifests/overlays/default'));
  expect(resources.limits.memory).toMatch(/^\d+Mi$/);
  expect(Number.parseInt(resources.limits.memory, 10)).toBeGreaterThanOrEqual(
    TABLES_MEBIBYTES + WORKER_HEAP_MB,
  );
});

test('how long and how much is a value of the chart, and the volume fits it', async () => {
  const values = 'flows.kept.minutesHours=48,flows.kept.hoursDays=90,flows.kept.megabytes=2000';
  const objects = await helm('--set', values);
  const { env } = containerOf(objects);
  const kept = ['SLUICE_FLOWS_MINUTES_HOURS', 'SLUICE_FLOWS_HOURS_DAYS', 'SLUICE_FLOWS_MEGABYTES'];
  expect(kept.map((name) => env.get(name))).toEqual(['48', '90', '2000']);
  expect(deploymentOf(objects).template.spec.volumes).toEqual([
    { name: 'flows', emptyDir: { sizeLimit: '4256Mi' } },
  ]);
});

test('one injector has them in a claim if the chart is told so, and never two pods the same', async () => {
  const objects = await helm('--set', 'flows.persistence.enabled=true');
  expect((await Promise.all(objects.map(schemaFaults))).flat()).toEqual([]);
  const { strategy, template } = deploymentOf(objects);
  expect(strategy).toEqual({ type: 'Recreate' });
  expect(template.spec.volumes).toEqual([
    { name: 'flows', persistentVolumeClaim: { claimName: 'sluice-flows' } },
  ]);
  expect(template.spec.securityContext).toMatchObject({ runAsUser: 65532, fsGroup: 65532 });
  expect(one(objects, 'PersistentVolumeClaim', 'sluice-flows').spec).toEqual({
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '2056Mi' } },
  });
});

test('the claim has the size and the class that the chart is told', async () => {
  const values =
    'flows.persistence.enabled=true,flows.persistence.size=5Gi,flows.persistence.storageClass=fast';
  expect(one(await helm('--set', values), 'PersistentVolumeClaim').spec).toMatchObject({
    storageClassName: 'fast',
    resources: { requests: { storage: '5Gi' } },
  });
});

test('a claim for several injectors is refused, with what to do', async () => {
  await expect(helm('--set', 'flows.persistence.enabled=true,replicas=2')).rejects.toThrow(
    /flows\.persistence\.enabled wants replicas: 1.*an emptyDir/,
  );
});

test.each(['flows.kept.megabytes=0', 'flows.kept.hoursDays=4000', 'flows.persistence.size=much'])(
  'the schema of the values refuses %s',
  async (value) => {
    await expect(helm('--set', value)).rejects.toThrow(/schema/);
  },
);
