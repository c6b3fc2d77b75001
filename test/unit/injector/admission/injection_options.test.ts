import { describe, expect, test } from 'vitest';
import { readOptions } from '../../../../common/options.ts';
import {
  INJECTION_OPTIONS,
  injectionConfig,
  webhookSettings,
} from '../../../../injector/admission/injection/injection_options.ts';
import { apiService, readCluster } from '../../../builders/api_objects.ts';

const settings = (env: Record<string, string>) =>
  webhookSettings(readOptions(INJECTION_OPTIONS, [], env).values);
const MINIMUM = { SLUICE_WEBHOOK_PORT: '8443', SLUICE_SIDECAR_IMAGE: 'sluice:1' };

describe('the settings of injection', () => {
  test('are none without a webhook', () => {
    expect(settings({ SLUICE_SIDECAR_IMAGE: 'sluice:1' })).toBeUndefined();
  });

  test('have defaults for all but the image', () => {
    expect(settings(MINIMUM)).toMatchObject({
      port: 8443,
      service: {
        key: 'sluice-system/sluice-injector',
        name: 'sluice-injector.sluice-system.svc',
        port: 15010,
      },
      injection: { image: 'sluice:1', mode: 'native', iptables: 'auto', imagePullPolicy: 'IfNotPresent' },
    });
  });

  test.each([
    ['SLUICE_SIDECAR_IMAGE', ''],
    ['SLUICE_SERVICE', 'sluice-injector'],
    ['SLUICE_SERVICE', 'a/b:70000'],
    ['SLUICE_SIDECAR_MEMORY_LIMIT', '64'],
    ['SLUICE_SIDECAR_CPU_REQUEST', '1Gi'],
    ['SLUICE_SIDECAR_CPU_REQUEST', '2001m'],
    ['SLUICE_SIDECAR_MEMORY_REQUEST', '513Mi'],
    ['SLUICE_SIDECAR_MEMORY_LIMIT', '63Mi'],
  ])('are refused by name: %s=%s', (name, value) => {
    expect(() => settings({ ...MINIMUM, [name]: value })).toThrow(new RegExp(name));
  });
});

describe('the address that sidecars are given', () => {
  const webhook = settings(MINIMUM);
  const service = (...clusterIPs: string[]) =>
    apiService('sluice-system/sluice-injector', clusterIPs, [{ port: 15010 }]);

  test.each([
    ['10.96.0.20', '10.96.0.20:15010'],
    ['fd00::20', '[fd00::20]:15010'],
  ])("is the Service's: %s", (ip, address) => {
    const config = webhook && injectionConfig(webhook, readCluster({ services: [service(ip)] }));

    expect(config).toMatchObject({
      injectorAddress: address,
      injectorName: 'sluice-injector.sluice-system.svc',
    });
  });

  test('is none before the Service has one', () => {
    expect(webhook && injectionConfig(webhook, readCluster({}))).toBeUndefined();
  });
});
