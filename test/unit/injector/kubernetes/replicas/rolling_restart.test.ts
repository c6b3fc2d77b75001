/**
 * Three replicas are restarted one after the other: the last to come has no sidecars, and some time later all carry alike. The
 * replicas and 60 sidecars are in this process, with real sockets; sidecars come to any replica, as through the Service.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { podAt } from '../../../../../bench/control_plane/cluster.ts';
import { MemorySource } from '../../../../../bench/control_plane/memory_source.ts';
import { SessionSpread } from '../../../../../injector/kubernetes/replicas/index.ts';
import { createInjectorMetrics } from '../../../../../injector/metrics.ts';
import { startStatusServer } from '../../../../../injector/status_server.ts';
import { startTlsServer } from '../../../../../injector/tables/index.ts';
import { TableServer, type TableServerOptions } from '../../../../../injector/tables/table_server.ts';
import { objectKey } from '../../../../../policy/index.ts';
import { type Transport, tlsTransport } from '../../../../../sidecar/table/index.ts';
import { FLOW_SOURCE, FollowingSidecar } from '../../../../support/following_sidecar.ts';
import { freePorts } from '../../../../support/free_ports.ts';
import { captureLog } from '../../captured_log.ts';
import { ManifestDir } from '../../manifest_dir.ts';
import { SERVER_NAME, TestAuthenticator, TestCertificate, tokenOf } from '../../test_credentials.ts';
import { waitFor } from '../../wait_for.ts';

const SIDECARS = 60;
const MEAN = SIDECARS / 3;

/** A fifth of this share; the default is for hundreds. */
const LEAST_EXCESS = 4;

/** What `SessionSpread` promises of these numbers: no replica has more for long than a fifth above the mean. */
const MOST = MEAN + LEAST_EXCESS;

/** Five moves in each. The status port lets an address ask 25 times a second, and here all have one address. */
const LOOK_MS = 250;

/** What a table in force was last confirmed within, ms: heartbeats come every 2 s. */
const MOST_AGE_MS = 5_000;

const PATIENCE_MS = 45_000;

/** Sidecars that start together: this process makes both ends of their handshakes. */
const AT_ONCE = 10;

/** Where replicas listen: each at its own address, as pods do. */
const HOSTS = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];

/** Who asks another replica does so from here, on loopback. */
const ASKER = '127.0.0.1';

let source: MemorySource;
let certificate: TestCertificate;
let dir: ManifestDir;
let ports: { tables: number; status: number };
const replicas = new Map<string, Replica>();
const sidecars: FollowingSidecar[] = [];

/** One replica: what `startKubernetesInjector` puts together of it. */
class Replica {
  readonly metrics = createInjectorMetrics();
  readonly tables: TableServer;
  /** Looks at the other replicas that have begun. */
  looks = 0;
  /** Sidecars that were asked to move. */
  asked = 0;
  #parts: readonly { close(): unknown }[] = [];

  private constructor(tables: TableServer, metrics: Replica['metrics']) {
    this.tables = tables;
    this.metrics = metrics;
  }

  static async start(host: string, options: TableServerOptions = {}): Promise<Replica> {
    const { log } = captureLog();
    const metrics = createInjectorMetrics();
    const tables = new TableServer(source, metrics, log, options);
    const authenticator = new TestAuthenticator();
    // All sidecars of this test have one address.
    const limits = { maxPerAddress: 512, handshakes: { burst: 500, perSecond: 500 } };
    const tls = await startTlsServer(
      { tables, authenticator, certificate, log },
      { host, port: ports.tables, ...limits },
    );
    const addresses = () => [ASKER, ...HOSTS];
    const replica = new Replica(tables, metrics);
    const spread = new SessionSpread({
      tables: {
        get carried() {
          return tables.carried;
        },
        letGo(...args) {
          const asked = tables.letGo(...args);
          replica.asked += asked;
          return asked;
        },
      },
      replicas: () => {
        replica.looks += 1;
        return addresses();
      },
      replica: host,
      statusPort: ports.status,
      log,
      lookMs: LOOK_MS,
      leastExcess: LEAST_EXCESS,
    });
    const status = await startStatusServer(
      {
        tables: () => tables,
        source,
        metrics,
        sessions: () => spread.counts,
        replicas: addresses,
        unhealthy: () => undefined,
        unready: () => undefined,
      },
      { host, port: ports.status },
      log,
    );
    replica.#parts = [spread, status, tls, tables];
    return replica;
  }

  async close(): Promise<void> {
    for (const part of this.#parts) await part.close();
  }
}

beforeEach(async () => {
  dir = new ManifestDir();
  certificate = await TestCertificate.make();
  const [tables = 0, status = 0] = await freePorts(2);
  ports = { tables, status };
  source = new MemorySource();
  for (let place = 0; place < SIDECARS; place += 1) {
    const object = podAt(0, place, 0, 0);
    source.change({ kind: 'Pod', key: objectKey(object.namespace, object.name), object });
  }
  const { namespace } = podAt(0, 0, 0, 0);
  source.change({
    kind: 'NetworkPolicy',
    key: objectKey(namespace, 'allow'),
    object: {
      namespace,
      name: 'allow',
      podSelector: { matchLabels: {}, matchExpressions: [] },
      policyTypes: ['ingress'],
      ingress: [
        { peers: [{ kind: 'ipBlock', ipBlock: { cidr: `${FLOW_SOURCE}/32`, except: [] } }], ports: [] },
      ],
      egress: [],
    },
  });
});

afterEach(async () => {
  for (const sidecar of sidecars.splice(0)) sidecar.close();
  for (const replica of replicas.values()) await replica.close();
  replicas.clear();
  dir.close();
});

/** As kube-proxy: any of the replicas that are ready. */
function service(place: number): Transport {
  const { namespace, name, uid } = podAt(0, place, 0, 0);
  const tokenFile = join(dir.root, `token-${place}`);
  const caFile = join(dir.root, 'ca.crt');
  writeFileSync(caFile, certificate.ca.cert);
  writeFileSync(tokenFile, tokenOf(`${namespace}/${name}`, uid));
  const to = (host: string): Transport =>
    tlsTransport({ host, port: ports.tables, serverName: SERVER_NAME, tokenFile, caFile });
  return {
    dial(asked) {
      const ready = [...replicas.keys()];
      return to(ready[Math.floor(Math.random() * ready.length)] ?? '127.0.0.5').dial(asked);
    },
    explain: (error) => to('').explain(error),
  };
}

const carried = () =>
  HOSTS.map(
    (host) =>
      replicas
        .get(host)
        ?.tables.status()
        .sidecars.filter(({ connected }) => connected).length ?? 0,
  );
const enforced = () =>
  [...replicas.values()].reduce(
    (sum, { tables }) =>
      sum +
      tables
        .status()
        .sidecars.filter(({ connected, revision, enforced }) => connected && revision === enforced).length,
    0,
  );

/** Nobody is on the way from one to another: each sidecar is at one replica, and enforces what that one sent. */
const isSettled = () => carried().reduce((sum, count) => sum + count) === SIDECARS && enforced() === SIDECARS;

async function startAll(options: TableServerOptions = {}): Promise<void> {
  for (const host of HOSTS) replicas.set(host, await Replica.start(host, options));
  for (let place = 0; place < SIDECARS; place += 1) {
    const sidecar = new FollowingSidecar(service(place), podAt(0, place, 0, 0));
    sidecars.push(sidecar);
    if (place % AT_ONCE === 0) await waitFor(() => sidecar.enforcement.revision > 0, PATIENCE_MS);
  }
  await waitFor(() => enforced() === SIDECARS, PATIENCE_MS);
}

test(
  'after a rolling restart all replicas carry alike, and no sidecar loses its table, its flow or its confirmation',
  async () => {
    await startAll();
    for (const host of HOSTS) {
      const before = replicas.get(host);
      replicas.delete(host);
      await before?.close();
      await waitFor(() => enforced() === SIDECARS, PATIENCE_MS);
      replicas.set(host, await Replica.start(host));
    }
    const losses = sidecars.map((sidecar) => sidecar.losses.length);
    await waitFor(() => carried().every((count) => count <= MOST) && isSettled(), PATIENCE_MS);
    // A sidecar that moved kept its connection until the other one served it.
    expect(sidecars.map((sidecar) => sidecar.losses.length)).toEqual(losses);
    expect(sidecars.some(({ moves }) => moves.length > 0)).toBe(true);
    expect(sidecars.flatMap(({ refusals }) => refusals)).toEqual([]);
    expect(sidecars.map(({ cuts }) => cuts)).toEqual(sidecars.map(() => 0));
    await waitFor(() => sidecars.every(({ ageMs }) => ageMs < MOST_AGE_MS), PATIENCE_MS);
  },
  3 * PATIENCE_MS,
);

test(
  'a session that has lasted long enough moves, one replica alone keeps all',
  async () => {
    await startAll({ leastAgeMs: 100, mostAgeMs: 400 });
    const losses = sidecars.map((sidecar) => sidecar.losses.length);
    await waitFor(() => sidecars.filter(({ moves }) => moves.length > 0).length >= 10, PATIENCE_MS);
    expect(sidecars.map((sidecar) => sidecar.losses.length)).toEqual(losses);
    const [host = '', ...others] = HOSTS;
    const only = replicas.get(host);
    if (only === undefined) throw new Error('there is no replica');
    for (const other of others) {
      const replica = replicas.get(other);
      replicas.delete(other);
      await replica?.close();
    }
    await waitFor(() => only.tables.carried === SIDECARS && enforced() === SIDECARS, PATIENCE_MS);
    // A look that was under way may have had the word of the others. Moves are not counted: a sidecar that was asked before takes its time.
    const looks = only.looks;
    await waitFor(() => only.looks > looks, PATIENCE_MS); // that one is over
    const asked = only.asked;
    await waitFor(() => only.looks > looks + 4, PATIENCE_MS);
    expect(only.asked).toBe(asked);
    await waitFor(() => enforced() === SIDECARS, PATIENCE_MS);
  },
  3 * PATIENCE_MS,
);
