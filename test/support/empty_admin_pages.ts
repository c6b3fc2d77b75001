/** What an admin port serves that nobody reads. */
import type { AdminPages } from '../../sidecar/admin/admin.ts';

export const EMPTY_ADMIN_PAGES: AdminPages = {
  notReady: () => [],
  status: () => ({}),
  connections: async () => [],
  table: () => null,
  flows: () => [],
  metrics: async () => '',
  metricsType: 'text/plain',
};
