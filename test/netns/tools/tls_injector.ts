/** An injector over TLS as a process, for tests: `tls_injector.ts DIR ADDRESS PORT CA_FILE`. It takes tokens at their word. */
import { writeFileSync } from 'node:fs';
import { openLog } from '../../../common/log.ts';
import { openDirectorySource } from '../../../injector/directory/directory_source.ts';
import { createInjectorMetrics } from '../../../injector/metrics.ts';
import { TableServer } from '../../../injector/tables/table_server.ts';
import { startTlsServer } from '../../../injector/tables/tls_server.ts';
import { TestAuthenticator, TestCertificate } from '../../unit/injector/test_credentials.ts';

const [dir = '', host = '', port = '', caFile = ''] = process.argv.slice(2);
const log = openLog('warn');
const certificate = await TestCertificate.make();
const source = await openDirectorySource(dir, log);
// Its Service in the lab.
const injectorService = 'sluice/injector';
const tables = new TableServer(source, createInjectorMetrics(), log, { injectorService });
await startTlsServer(
  { tables, authenticator: new TestAuthenticator(), certificate, log },
  { host, port: Number(port) },
);
writeFileSync(caFile, certificate.ca.cert); // from now on sidecars trust it
