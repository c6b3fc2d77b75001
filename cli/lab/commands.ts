/** The `lab` commands. */
import { createCommandGroup } from '../command_group.ts';
import { runApply, runDelete } from './change.ts';
import { runExec } from './exec.ts';
import { runList, runLogs, runStatus } from './look.ts';
import { runDown, runUp } from './up_down.ts';

/**
 * Runs one `lab` command; resolves to the exit code.
 * @throws SluiceError `USAGE`, and what the command throws
 */
export const runLab = createCommandGroup({
  name: 'lab',
  help: `usage: sluice lab COMMAND [flags]

A small cluster on this machine: network namespaces in place of pods and nodes, real sidecars, a real injector. Needs root.
`,
  commands: [
    {
      name: 'up',
      summary: 'make a lab of manifests: each pod a network namespace behind its own sidecar',
      run: runUp,
    },
    {
      name: 'exec',
      summary: 'run a command in a pod, on a node or outside; its exit code is returned',
      run: runExec,
    },
    { name: 'apply', summary: 'add or change objects, start what has died', run: runApply },
    { name: 'delete', summary: 'remove objects', run: runDelete },
    { name: 'status', summary: 'what runs, and whether every table is in force', run: runStatus },
    { name: 'logs', summary: "print a pod's log, or the injector's", run: runLogs },
    { name: 'list', summary: 'names of all labs', run: runList },
    { name: 'down', summary: 'remove a lab: namespaces, processes, files', run: runDown },
  ],
  afterCommands: `sluice lab COMMAND --help explains one, with its flags. Each has --name NAME, but list.

Workloads that come without pods get some, at most 5 of each; they, and pods without a status, get addresses of
their node's spec.podCIDR (default 10.244.N.0/24). A pod whose status has a phase and no podIP is left out. The app
of a pod serves its containerPorts: it answers each line with the address of the peer it sees. Every node serves the
Services that have a spec.clusterIP; where a Service has a selector and no EndpointSlice, its endpoints are derived from
the pods. SLUICE_LAB_DIR says where labs are kept, default /run/sluice/lab; SLUICE_MAX_POLICY_ENTRIES
and the other bounds on policies hold as in sluice can, and SLUICE_LARGE_GROUP as for the injector, from its start.
`,
});
