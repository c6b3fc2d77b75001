/** Pods for a comparison of two judges of Pod Security. */
import fc from 'fast-check';

/** Specs of pods with this and that of what Pod Security looks at; many are within its bounds. */
export function oddPod(): fc.Arbitrary<Record<string, unknown>> {
  const mostly = <T>(good: T, bad: fc.Arbitrary<T | undefined>) =>
    fc.oneof({ arbitrary: fc.constant(good), weight: 9 }, { arbitrary: bad, weight: 1 });
  const rarely = <T>(value: fc.Arbitrary<T>) => mostly<T | undefined>(undefined, value);
  const profile = mostly<object | undefined>(
    { type: 'RuntimeDefault' },
    fc.constantFrom(undefined, { type: 'Unconfined' }),
  );
  const security = fc.record({
    allowPrivilegeEscalation: mostly<boolean | undefined>(false, fc.constantFrom(true, undefined)),
    runAsNonRoot: mostly<boolean | undefined>(true, fc.constantFrom(false, undefined)),
    runAsUser: rarely(fc.constantFrom(0, 1000)),
    privileged: mostly<boolean | undefined>(undefined, fc.constantFrom(false, true)),
    procMount: mostly<string | undefined>(undefined, fc.constantFrom('Default', 'Unmasked')),
    seccompProfile: profile,
    appArmorProfile: profile,
    seLinuxOptions: rarely(fc.constantFrom({ type: 'container_t' }, { type: 'spc_t' }, { level: 's0' }, {})),
    capabilities: fc.record({
      drop: mostly<string[] | undefined>(['ALL'], fc.constantFrom(['CHOWN'], undefined)),
      add: rarely(fc.subarray(['NET_BIND_SERVICE', 'CHOWN', 'SYS_TIME'])),
    }),
  });
  const handler = fc.constantFrom({ httpGet: { port: 80 } }, { tcpSocket: { port: 80, host: 'h' } });
  const container = (name: string) =>
    fc.record({
      name: fc.constant(name),
      image: fc.constant('i'),
      securityContext: mostly<object | undefined>(undefined, security).chain((none) =>
        none === undefined ? security : fc.constant(none),
      ),
      ports: rarely(fc.constantFrom([{ containerPort: 80 }], [{ containerPort: 80, hostPort: 80 }])),
      startupProbe: rarely(handler),
      lifecycle: rarely(fc.record({ postStart: handler })),
    });
  return fc
    .record({
      hostIPC: rarely(fc.boolean()),
      hostPID: rarely(fc.constantFrom(false, false, true)),
      securityContext: fc.record({
        runAsNonRoot: rarely(fc.boolean()),
        runAsUser: rarely(fc.constantFrom(0, 1000, 1000)),
        seccompProfile: profile,
        sysctls: rarely(
          fc.constantFrom(
            [],
            [{ name: 'net.ipv4.tcp_syncookies', value: '1' }],
            [{ name: 'kernel.sem', value: '1' }],
          ),
        ),
      }),
      volumes: rarely(
        fc.constantFrom(
          [],
          [{ name: 'v', emptyDir: {} }],
          [{ name: 'v', hostPath: { path: '/' } }],
          [{ name: 'v', nfs: { server: 's', path: '/' } }],
        ),
      ),
      containers: container('app').map((one) => [one]),
      initContainers: rarely(container('init').map((one) => [one])),
    })
    .map((spec) => JSON.parse(JSON.stringify(spec))); // without what is undefined
}
