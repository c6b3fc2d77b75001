/** A small shop, as a dashboard gets it. */
import type { DashboardFacts } from '../../cli/dashboard/form.ts';
import type { ObservedFlow } from '../../flows/index.ts';
import { edge } from '../builders/observed_flows.ts';
import { dashboardFacts } from '../support/dashboard_double.ts';

/** A denial with all that explains it. */
export const DENIED: ObservedFlow = edge('front/deploy/gateway', 'shop/deploy/web', {
  outcome: 'deny',
  reason: 'no-rule',
  flows: 312,
  isolating: ['shop/default-deny', 'shop/web-from-front'],
  near: [{ policy: 'shop/web-from-front', rule: 0, lacks: ['label app=gate wanted, peer has app=gateway'] }],
  explanation: 'front/gateway-1 -> shop/web-1 TCP/8080 denied at ingress: isolated by shop/default-deny',
});

/** Flows of all outcomes. */
export const SHOP_FLOWS: readonly ObservedFlow[] = [
  DENIED,
  edge('shop/deploy/web', 'shop/deploy/cart', {
    flows: 48_210,
    port: 7070,
    policy: 'shop/cart-from-web',
    rule: 0,
  }),
  edge('shop/deploy/cart', 'shop/sts/db', { flows: 3, port: 5432, outcome: 'cut', reason: 'no-rule' }),
  edge('shop/deploy/cart', '203.0.113.7', { flows: 7, port: 443, outcome: 'audit', direction: 'egress' }),
];

const workload = (namespace: string, name: string) => ({ namespace, workload: name, pods: 1 });

/** Its policies and pods. */
export const SHOP_FACTS: DashboardFacts = dashboardFacts({
  workloads: [
    workload('front', 'deploy/gateway'),
    ...['deploy/web', 'deploy/cart', 'sts/db', 'cronjob/backup'].map((name) => workload('shop', name)),
  ],
  policies: [
    {
      name: 'shop/cart-from-web',
      selector: 'app=cart',
      isolates: ['ingress'],
      workloads: 1,
      pods: 1,
      enforcing: 1,
      moreRules: 0,
      rules: [
        {
          direction: 'ingress',
          index: 0,
          yaml: '- from:\n    - podSelector:\n        matchLabels:\n          app: web',
        },
      ],
    },
    {
      name: 'shop/web-from-front',
      selector: 'app=web',
      isolates: ['ingress'],
      workloads: 1,
      pods: 2,
      enforcing: 1,
      moreRules: 0,
      rules: [
        { direction: 'ingress', index: 0, yaml: '- from:\n    - podSelector: {matchLabels: {app: gate}}' },
      ],
    },
  ],
  pods: [
    { name: 'shop/cart-1', workload: 'deploy/cart', policies: ['shop/cart-from-web'], state: 'in-force' },
    {
      name: 'shop/web-2',
      workload: 'deploy/web',
      policies: ['shop/web-from-front'],
      state: 'not-in-force',
      why: 'it has no sidecar',
    },
  ],
  allowed: [
    {
      src: { namespace: 'shop', workload: 'cronjob/backup' },
      dst: { namespace: 'shop', workload: 'sts/db' },
      ports: 'TCP/5432',
      rules: [{ policy: 'shop/db-from-backup', direction: 'ingress', index: 0 }],
    },
  ],
});
