/** The cluster that KUBECONFIG names. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { Access } from '../support/kubernetes/test_cluster.ts';

/** Access to the cluster, by the kubeconfig's current context. */
export async function realCluster(): Promise<Access> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const server = config.getCurrentCluster()?.server;
  if (server === undefined)
    throw new Error('the kubeconfig has no current context: kubectl config use-context');
  return { config, host: process.env.SLUICE_TEST_HOST ?? (await ownAddressTowards(new URL(server))) };
}

/** The address from which this machine speaks to the API server; there the API server can answer. */
async function ownAddressTowards(server: URL): Promise<string> {
  const socket = connect(Number(server.port || 443), server.hostname);
  await once(socket, 'connect');
  const { localAddress = '' } = socket;
  socket.destroy();
  return localAddress;
}
