/** Names of the objects that certificates are kept in and published by. manifests/ has the same ones. */

/** Secret in the injector's namespace: CAs with their keys, and the serving certificate. All replicas share it. */
export const CERTIFICATES_SECRET = 'sluice-certificates';

/** Keys of the Secret. Lists of PEM blocks, oldest CA first; the keys in the order of their certificates. */
export const SECRET_KEYS = {
  cas: 'ca.crt',
  caKeys: 'ca.key',
  serving: 'tls.crt',
  servingKey: 'tls.key',
} as const;

/** MutatingWebhookConfiguration whose `caBundle` is kept current. */
export const WEBHOOK_CONFIGURATION = 'sluice-injector';

/** Service of the injector: API servers ask its webhook, sidecars follow its tables. */
export const INJECTOR_SERVICE = 'sluice-injector';

/** DNS names of the injector's Service: the one that API servers check, and longer and shorter ones. */
export function servingNames(namespace: string): readonly string[] {
  const name = `${INJECTOR_SERVICE}.${namespace}.svc`;
  return [name, `${name}.cluster.local`];
}
