/** A cluster that is asked while nobody can be: a shell wants names, and its line is half written. */
import { isAbsolute } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { SluiceError } from '../../../common/errors.ts';
import { fieldsOf, isRecord, list, nullable, part, type TypeOf, text } from '../../../common/shape.ts';
import { type ClusterFlags, type ClusterTarget, chooseCluster } from './kube_choice.ts';
import { runQuietly } from './run_quietly.ts';

/** How long a program may take to give a credential, ms: those of the clouds take 1 to 2 s. */
const PATIENCE_MS = 3_000;

/** A user's program. Source: `client.authentication.k8s.io`, and kubectl's kubeconfig (v1). */
const execConfig = part(
  { command: text() },
  {
    apiVersion: text(),
    args: nullable(list(text())),
    env: nullable(list(part({ name: text(), value: text() }))),
    interactiveMode: text(),
  },
);

/** What it gives. Source: `client.authentication.k8s.io`, ExecCredential. */
const execCredential = part({
  status: part({}, { token: text(), clientCertificateData: text(), clientKeyData: text() }),
});

/**
 * Chooses as `chooseCluster` does. The program by which a user gets a credential runs here, once: it has no terminal to ask on, little
 * time, and is told so; one that has to ask is not run. Source: "client-go credential plugins", `interactiveMode`.
 * @throws SluiceError `KUBECONFIG_UNUSABLE`, Error of the program
 */
export async function quietTarget(flags: ClusterFlags): Promise<ClusterTarget> {
  const target = chooseCluster(flags);
  const { config } = target;
  const user = config.getCurrentUser();
  if (runsCommand(user?.authProvider)) throw unusable('a program of an auth-provider may ask for something');
  if (!isRecord(user?.exec)) return target;
  const status = await credentialOf(execConfig.read(user.exec, 'exec', unusable));
  const { exec: _, ...rest } = user;
  const settled = {
    ...rest,
    ...(status.token === undefined ? {} : { token: status.token }),
    ...(status.clientCertificateData === undefined ? {} : { certData: base64(status.clientCertificateData) }),
    ...(status.clientKeyData === undefined ? {} : { keyData: base64(status.clientKeyData) }),
  };
  replaceUser(config, settled);
  return target;
}

/** The library runs these while nothing else goes on, on the terminal. kubectl knows them no longer. */
function runsCommand(authProvider: unknown): boolean {
  const { name, config } = fieldsOf(authProvider);
  const settings = fieldsOf(config);
  return name === 'exec' || settings.exec !== undefined || settings['cmd-path'] !== undefined;
}

async function credentialOf(
  exec: TypeOf<typeof execConfig>,
): Promise<TypeOf<typeof execCredential>['status']> {
  const { command, args, env, apiVersion = 'client.authentication.k8s.io/v1', interactiveMode } = exec;
  if (interactiveMode === 'Always') throw unusable(`${command} has to ask for something`);
  // It would be one of the current folder, which may be anybody's.
  if (command.includes('/') && !isAbsolute(command)) throw unusable(`${command} is not an absolute path`);
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const said = await runQuietly([command, ...(args ?? [])], {
    timeMs: PATIENCE_MS,
    env: {
      ...process.env,
      ...Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    },
  });
  return execCredential.readJson(said, 'ExecCredential', unusable).status;
}

function replaceUser(config: KubeConfig, user: KubeConfig['users'][number]): void {
  config.users = config.users.map((one) => (one.name === user.name ? user : one));
}

/** As a kubeconfig has certificates and keys; a program gives them in PEM. */
function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

function unusable(message: string, cause?: unknown): SluiceError {
  return new SluiceError('KUBECONFIG_UNUSABLE', message, { cause });
}
