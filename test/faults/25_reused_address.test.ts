/**
 * Case 25. Given a pod X that is deleted or has finished and its address given to a pod Y, when Y connects in the gap
 * between the events, in both orders of events, then X's rights never apply to Y, and X's late end does not strip Y.
 */

import { expect, test } from 'vitest';
import { unreachable } from '../../common/errors.ts';
import { type Compiler, createCompiler, createJudge, type Pod, parsePod } from '../../policy/index.ts';
import {
  accepted,
  apiNamespace,
  apiPod,
  apiPolicy,
  type PodOptions,
  readCluster,
} from '../builders/api_objects.ts';

const ADDRESS = '10.0.0.9';

const FIRST = '2026-01-01T00:00:00Z';
const SECOND = '2026-01-01T00:00:05Z';

/** When the two were made: by it alone nobody can say who got the address last. */
const AGES: readonly (readonly [string, PodOptions, PodOptions])[] = [
  ['Y is the newer one', { createdAt: FIRST }, { createdAt: SECOND }],
  ['both are of one second', { createdAt: FIRST }, { createdAt: FIRST }],
  ['Y is the older one', { createdAt: SECOND }, { createdAt: FIRST }],
  ['neither says when', {}, {}],
];

/** What is seen of X and Y, in order. `X ends` is its deletionTimestamp, as the API server sets it first. */
type Event = 'X loses its network' | 'Y comes' | 'X ends' | 'X finishes' | 'X goes' | 'X is relabelled';

const ORDERS: readonly (readonly Event[])[] = [
  ['X goes', 'Y comes'],
  ['Y comes', 'X goes'],
  ['X ends', 'X goes', 'Y comes'],
  ['X ends', 'Y comes', 'X goes'],
  ['Y comes', 'X ends', 'X goes'],
  ['X loses its network', 'Y comes', 'X goes'],
  ['X finishes', 'Y comes', 'X goes'],
  ['Y comes', 'X finishes', 'X goes'],
  ['Y comes', 'X is relabelled', 'X ends', 'X goes'],
];

const RIGHTS = { allowed: { role: 'friend' }, denied: { role: 'stranger' } } as const;

type Right = keyof typeof RIGHTS;

function podOf(name: string, right: Right, options: PodOptions): Pod {
  const labels = { ...RIGHTS[right], ...options.labels };
  return accepted(parsePod(apiPod(`shop/${name}`, { ...options, ips: [ADDRESS], labels })));
}

/** What shop/api says to the address, or that the address is nobody's. */
function answer(compiler: Compiler): Right | 'nobody' {
  if (compiler.identify(ADDRESS) === undefined) return 'nobody';
  const judge = createJudge(compiler.compile('shop/api', 1));
  return judge.judge('ingress', ADDRESS, 'TCP', 80).verdict === 'allow' ? 'allowed' : 'denied';
}

function start(): Compiler {
  const from = [{ podSelector: { matchLabels: RIGHTS.allowed } }];
  return createCompiler(
    readCluster({
      namespaces: [apiNamespace('shop')],
      pods: [apiPod('shop/api', { labels: { app: 'api' }, ips: ['10.0.0.1'] })],
      policies: [
        apiPolicy('shop/friends', { podSelector: { matchLabels: { app: 'api' } }, ingress: [{ from }] }),
      ],
    }),
  );
}

for (const [age, x, y] of AGES)
  for (const order of ORDERS)
    for (const [xRight, yRight] of [
      ['allowed', 'denied'],
      ['denied', 'allowed'],
    ] as const)
      test(`${age}; ${order.join(', ')}: X is ${xRight}, Y ${yRight}`, () => {
        const compiler = start();
        const put = (name: string, object: Pod | undefined) => {
          compiler.apply({ kind: 'Pod', key: `shop/${name}`, object });
          compiler.commit();
        };
        put('x', podOf('x', xRight, x));
        let hasCome = false;
        for (const event of order) {
          switch (event) {
            case 'Y comes':
              hasCome = true;
              put('y', podOf('y', yRight, y));
              break;
            case 'X ends':
              put('x', podOf('x', xRight, { ...x, deletedAt: SECOND }));
              break;
            case 'X loses its network':
              put('x', podOf('x', xRight, { ...x, deletedAt: SECOND, hasNoNetwork: true }));
              expect(answer(compiler)).toBe('nobody');
              break;
            case 'X finishes':
              put('x', podOf('x', xRight, { ...x, phase: 'Succeeded' }));
              break;
            case 'X is relabelled':
              put('x', podOf('x', xRight, { ...x, labels: { more: 'labels' } }));
              break;
            case 'X goes':
              put('x', undefined);
              break;
            default:
              return unreachable(event);
          }
          if (hasCome) expect(answer(compiler), `after "${event}"`).toBe(yRight);
          else expect(['nobody', xRight]).toContain(answer(compiler));
        }
        expect(answer(compiler)).toBe(yRight);
      });

test('a pod that comes while it is being deleted already takes no address from one that lives', () => {
  const compiler = start();
  compiler.apply({ kind: 'Pod', key: 'shop/y', object: podOf('y', 'denied', {}) });
  const late = podOf('x', 'allowed', { deletedAt: SECOND });
  compiler.apply({ kind: 'Pod', key: 'shop/x', object: late });
  compiler.commit();
  expect(answer(compiler)).toBe('denied');
});

test('a pod that is made again under its name has a claim of its own', () => {
  const compiler = start();
  const again = { ...podOf('x', 'allowed', {}), uid: 'another' };
  for (const [key, object] of [
    ['shop/x', podOf('x', 'denied', {})],
    ['shop/y', podOf('y', 'denied', {})],
    ['shop/x', again],
  ] as const)
    compiler.apply({ kind: 'Pod', key, object });
  compiler.commit();
  expect(answer(compiler)).toBe('allowed');
});

/** In a list nobody sees who came last: the objects have to say. */
test.each<[string, PodOptions, PodOptions]>([
  ['X is being deleted', { createdAt: SECOND, startedAt: SECOND, deletedAt: SECOND }, { createdAt: FIRST }],
  ['X has finished', { createdAt: SECOND, phase: 'Failed' }, { createdAt: FIRST }],
  ['Y was started later', { createdAt: SECOND, startedAt: FIRST }, { createdAt: FIRST, startedAt: SECOND }],
  [
    "Y's network was set up later",
    { createdAt: SECOND, startedAt: SECOND, networkSince: FIRST },
    { createdAt: FIRST, startedAt: FIRST, networkSince: SECOND },
  ],
  ['Y was made later', { createdAt: FIRST }, { createdAt: SECOND }],
])('a list in which both stand: %s', (_, x, y) => {
  for (const [xRight, yRight] of [
    ['allowed', 'denied'],
    ['denied', 'allowed'],
  ] as const) {
    const { cluster } = start();
    const pods = [podOf('x', xRight, x), podOf('y', yRight, y)];
    for (const order of [pods, pods.toReversed()]) {
      const known = new Map([...cluster.pods, ...order.map((pod) => [`shop/${pod.name}`, pod] as const)]);
      expect(answer(createCompiler({ ...cluster, pods: known }))).toBe(yRight);
    }
  }
});
