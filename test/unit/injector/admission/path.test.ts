import { describe, expect, it } from 'vitest';
import { parsePath, pathText } from '../../../../common/path.ts';
import { config, decide, injected, pod, reasons } from '../../../builders/admitted_pods.ts';

const ANNOTATION = 'sluice.dev/path';
const asks = (path: string) => ({ [ANNOTATION]: path });

/** The path that all containers of injection have: a native sidecar, the redirect step, an ordinary sidecar; `undefined`: as usual. */
function path(...[object, options]: Parameters<typeof injected>): string | undefined {
  const classic = injected(object, { ...options, config: config({ mode: 'classic' }) }).spec;
  const ours = [
    injected(object, options).spec.initContainers?.[0],
    classic.initContainers?.[0],
    classic.containers[0],
  ];
  const [native, redirect, ordinary] = ours.map((container) =>
    ((container?.env ?? []) as { name: string; value?: string }[]).find(({ name }) => name === 'SLUICE_PATH'),
  );
  expect([redirect, ordinary]).toEqual([native, native]);
  return native?.value;
}

describe("which way inbound TCP takes to a pod's app", () => {
  it('is the usual one, where nobody says anything', () => {
    expect(path(pod())).toBeUndefined();
  });

  it('is what the pod says, without a permission of its namespace', () => {
    expect(path(pod({}, asks('direct')))).toBe('direct');
    expect(path(pod({}, asks('auto, 5432=proxy')))).toBe('auto,5432=proxy');
    expect(path(pod({}, asks('8080=direct')))).toBe('proxy,8080=direct');
  });

  it('is what its namespace says, where the pod says nothing', () => {
    expect(path(pod(), { namespace: asks('auto,5432=proxy') })).toBe('auto,5432=proxy');
  });

  it('is what the pod says, where both do', () => {
    const namespace = asks('auto,5432=proxy');
    expect(path(pod({}, asks('proxy')), { namespace })).toBe('proxy');
    expect(path(pod({}, asks('direct,80=proxy')), { namespace })).toBe('direct,80=proxy');
  });

  it("is its namespace's for the other ports, where the pod names only ports", () => {
    expect(path(pod({}, asks('8080=direct')), { namespace: asks('auto,5432=proxy') })).toBe(
      'auto,8080=direct',
    );
  });

  it('is text that the sidecar reads as it was meant', () => {
    const value = path(pod({}, asks(' 8080=direct , auto')));
    expect(value).toBe('auto,8080=direct');
    const choice = parsePath(value ?? '');
    expect(typeof choice === 'string' ? choice : pathText(choice)).toBe(value);
  });

  for (const [value, reason] of [
    ['', "'' is not one of proxy, direct, auto"],
    ['fast', "'fast' is not one of proxy, direct, auto"],
    ['Direct', "'Direct' is not one of proxy, direct, auto"],
    ['direct,proxy', "two usual paths, 'direct' and 'proxy'"],
    ['80=direct,80=proxy', 'names port 80 twice'],
    ['65536=direct', 'a port from 1 to 65535'],
    [Array.from({ length: 16 }, (_, index) => `${index + 1}=direct`).join(), 'at most 15 ports'],
    ['direct,15021=proxy', "15021 is the sidecar's own"],
  ] as const)
    it(`is refused where it is '${value}', at the pod or at its namespace`, () => {
      const sentence = `annotation ${ANNOTATION} is '${value}': `;
      const [own, namespaces] = [reasons(pod({}, asks(value))), reasons(pod(), { namespace: asks(value) })];
      expect(own).toEqual([expect.stringContaining(reason)]);
      expect(own[0]?.startsWith(sentence)).toBe(true);
      expect(namespaces).toEqual([expect.stringContaining(reason)]);
      expect(namespaces[0]?.startsWith(`its namespace's ${sentence}`)).toBe(true);
    });

  describe('with a port that the pod has bypass the proxy', () => {
    const allowed = { 'sluice.dev/allow-excluded-ports': 'true' };
    const excluding = (own: object = {}) => pod({}, { ...own, 'sluice.dev/excluded-ports': '9090,9091' });

    it('is refused where the pod names that port twice: its sidecar would not start', () => {
      for (const own of ['direct,9090=proxy', '9090=direct'])
        expect(reasons(excluding(asks(own)), { namespace: allowed })).toEqual([
          `annotations ${ANNOTATION} and sluice.dev/excluded-ports both have port 9090: name it in one of them`,
        ]);
    });

    it("is its namespace's for all ports but this one", () => {
      const namespace = { ...allowed, ...asks('auto,9090=proxy,80=proxy') };
      expect(path(excluding(), { namespace })).toBe('auto,80=proxy');
      expect(path(excluding(asks('direct')), { namespace })).toBe('direct');
    });
  });

  it('is no misspelling', () => {
    expect(decide(pod({}, asks('direct')))).toMatchObject({ kind: 'injected', warnings: [] });
  });
});
