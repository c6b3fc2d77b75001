/** What the commands read: files as kubectl and people write them, and a double of the API server that has the same objects. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  type ApiObject,
  type ClusterSize,
  clusterWide,
  madeOf,
  namespaceName,
  policiesOf,
  workloadsOf,
} from './cluster.ts';

/** The double as a program. Nothing of the tests is imported here. */
const DOUBLE = join(import.meta.dirname, '../../test/support/api_server/stored_cluster.ts');

/** The double holds all objects, and what it sends of them. */
const DOUBLE_FLAGS = ['--max-old-space-size=4096'];

/** Of every tenth namespace the policies are other ones in the second state. */
const EDITED = 10;

/** `kubectl -o json` prints so. */
const INDENT = 4;

/** Where it is. */
export interface Inputs {
  /** Everything but policies, as `kubectl get -o json` prints it: a list for each namespace. */
  readonly dump: string;
  /** Policies in YAML, a file for each namespace. */
  readonly policies: string;
  /** The same policies, some of them edited. */
  readonly edited: string;
  readonly kubeconfig: string;
  close(): void;
}

/** Writes files below a folder, and starts the double. */
export async function prepareInputs(folder: string, size: ClusterSize): Promise<Inputs> {
  const [dump = '', policies = '', edited = ''] = ['dump', 'policies', 'edited'].map((name) =>
    join(folder, name),
  );
  for (const one of [dump, policies, edited]) mkdirSync(one);
  const lines: string[] = [];
  const add = (objects: readonly ApiObject[]): void => {
    for (const object of objects) lines.push(JSON.stringify(managed(object)));
  };
  const wide = clusterWide(size);
  add(wide);
  writeFileSync(join(dump, 'cluster.json'), listText(wide));
  for (let index = 0; index < size.namespaces; index += 1) {
    const name = namespaceName(index);
    const objects = [...workloadsOf(index, size), ...madeOf(index, size)];
    add(objects);
    add(policiesOf(index));
    writeFileSync(join(dump, `${name}.json`), listText(objects));
    writeFileSync(join(policies, `${name}.yaml`), yamlText(policiesOf(index)));
    writeFileSync(join(edited, `${name}.yaml`), yamlText(policiesOf(index, index % EDITED === 0)));
  }
  const stored = join(folder, 'objects.jsonl');
  writeFileSync(stored, `${lines.join('\n')}\n`);
  const { double, config } = await startDouble(stored);
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify(config));
  return { dump, policies, edited, kubeconfig, close: () => double.kill() };
}

async function startDouble(
  stored: string,
): Promise<{ readonly double: ChildProcess; readonly config: unknown }> {
  const double = fork(DOUBLE, [stored], { execArgv: DOUBLE_FLAGS });
  const ended = once(double, 'exit').then(([code]) => {
    throw new Error(`the double of the API server did not start (${code})`);
  });
  const [said] = await Promise.race([once(double, 'message'), ended]);
  return { double, config: said.kubeconfig };
}

function listText(items: readonly ApiObject[]): string {
  return `${JSON.stringify({ apiVersion: 'v1', items, kind: 'List', metadata: { resourceVersion: '' } }, null, INDENT)}\n`;
}

function yamlText(objects: readonly ApiObject[]): string {
  return objects.map((object) => `---\n${stringify(object)}`).join('');
}

/** With the fields that the API server adds to what it has, of which kubectl shows nothing: half of an object. */
function managed(object: ApiObject): ApiObject {
  const { spec = {} } = object;
  const fields = typeof spec === 'object' && spec !== null ? Object.keys(spec) : [];
  const of = (manager: string) => ({
    manager,
    operation: 'Update',
    apiVersion: object.apiVersion,
    time: '2026-11-29T12:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:labels': { '.': {}, 'f:app': {}, 'f:team': {}, 'f:version': {} } },
      'f:spec': Object.fromEntries(
        fields.map((field) => [
          `f:${field}`,
          {
            '.': {},
            'k:{"name":"app"}': {
              '.': {},
              'f:image': {},
              'f:imagePullPolicy': {},
              'f:name': {},
              'f:env': {},
              'f:resources': {},
            },
          },
        ]),
      ),
    },
  });
  const managedFields = ['kube-controller-manager', 'kubelet', 'kubectl'].map(of);
  return { ...object, metadata: { ...object.metadata, managedFields } };
}
