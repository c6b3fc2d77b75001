import { expect, test } from 'vitest';
import { unenforcedPod } from '../../../../injector/kubernetes/unenforced_pod.ts';
import {
  config,
  earlierForm,
  injected,
  pod,
  redirectedTwice,
  type TestPod,
} from '../../../builders/admitted_pods.ts';

const found = ({ metadata, spec }: TestPod) =>
  unenforcedPod({ metadata: { name: 'api', ...metadata }, spec, status: {} } as never);

/** With another list of init containers. */
const having = (object: TestPod, initContainers: TestPod['spec']['initContainers']): TestPod => ({
  ...object,
  spec: { ...object.spec, initContainers: initContainers ?? [] },
});

test.each([
  ['a native sidecar', injected(pod())],
  ['an ordinary sidecar', injected(pod(), { config: config({ mode: 'classic' }) })],
  ['a native sidecar of an earlier injector', earlierForm(injected(pod()))],
  [
    'a native sidecar that is set twice to do the redirect',
    redirectedTwice(injected(pod()), { value: 'run' }, 'after'),
  ],
])('a pod with %s is enforced', (_what, object) => {
  expect(found(object)).toBeUndefined();
});

const native = injected(pod());
const [sidecar] = native.spec.initContainers ?? [];
const [redirect, earlier] = earlierForm(native).spec.initContainers ?? [];
const listed = (...list: (typeof sidecar)[]) =>
  having(
    native,
    list.flatMap((one) => one ?? []),
  );

test.each([
  ['nothing of ours', pod()],
  ['something before the sidecar', listed({ name: 'early' }, sidecar)],
  ['something before the redirect', listed({ name: 'early' }, redirect, earlier)],
  ['a sidecar that leaves the redirect to a step that is not there', listed(earlier)],
  ['a redirect and no sidecar', listed(redirect)],
  [
    'a sidecar whose last setting leaves the redirect to a step',
    redirectedTwice(native, { value: 'init' }, 'after'),
  ],
  ['a sidecar whose first setting does', redirectedTwice(native, { value: 'init' }, 'before')],
  ['a sidecar whose last setting is empty', redirectedTwice(native, {}, 'after')],
  ['a sidecar that ends', listed({ name: 'sluice-sidecar', env: sidecar?.env })],
])('a pod with %s is not', (_what, object) => {
  expect(found(object)).toEqual({ optsOut: false });
});
