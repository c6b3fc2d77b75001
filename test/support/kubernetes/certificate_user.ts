/** Users with client certificates, signed by the API server's own signer: a CertificateSigningRequest that the test approves. */
import 'reflect-metadata'; // for @peculiar/x509
import { webcrypto } from 'node:crypto';
import { CertificatesV1Api, KubeConfig } from '@kubernetes/client-node';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { TestUser } from './flow_access_scenarios.ts';
import { settled, type TestCluster } from './test_cluster.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The least that the signer takes. */
const SECONDS = 3_600;

/** A user of this name, known by a certificate. */
export async function certificateUser(cluster: TestCluster, name: string): Promise<TestUser> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: `CN=${name},O=team-${name}`, keys, signingAlgorithm: ALGORITHM },
    webcrypto as Parameters<typeof Pkcs10CertificateRequestGenerator.create>[1],
  );
  const made = await cluster.create({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(request.toString('pem')).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
      expirationSeconds: SECONDS,
    },
  });
  const api = cluster.config.makeApiClient(CertificatesV1Api);
  const conditions = [{ type: 'Approved', status: 'True', reason: 'Test', message: 'by the test' }];
  await api.replaceCertificateSigningRequestApproval({
    name,
    body: { ...made, status: { conditions } } as never,
  });
  const certificate = await settled(async () => {
    const { status } = await api.readCertificateSigningRequest({ name });
    if (!status?.certificate)
      throw new Error('the certificate is not signed yet: does the controller manager run?');
    return status.certificate;
  });
  const server = cluster.config.getCurrentCluster();
  if (server === null) throw new Error('the kubeconfig names no cluster');
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(server, {
    name,
    certData: certificate,
    keyData: Buffer.from(keyPem).toString('base64'),
  });
  return { config, subject: { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name } };
}
