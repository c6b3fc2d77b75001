/** The commands. A new one is a line here, and a file (or a room) that makes it; see `command.ts`. */
import type { CommandEntry } from './command.ts';

/** In the order in which the help lists them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'can',
    summary: 'may one end connect to another, and why: in files, a lab or the cluster',
    load: async () => (await import('./can/index.ts')).runCan,
  },
  {
    name: 'check',
    summary: 'what keeps pods from being enforced, by the manifests or in a cluster',
    load: async () => (await import('./check/index.ts')).runCheck,
  },
  {
    name: 'describe',
    summary: 'what governs a pod, a workload or a namespace, and whom a policy is about',
    load: async () => (await import('./describe/index.ts')).runDescribe,
  },
  {
    name: 'lint',
    summary: 'what in policies does not do what it says, by rules with codes',
    load: async () => (await import('./lint/index.ts')).runLint,
  },
  {
    name: 'diff',
    summary: 'what connections become possible or impossible from one set of manifests to another',
    load: async () => (await import('./diff/index.ts')).runDiff,
  },
  {
    name: 'graph',
    summary: 'who reaches whom by policy: text, mermaid, dot, json or svg',
    load: async () => (await import('./graph/index.ts')).runGraph,
  },
  {
    name: 'observe',
    summary: 'who has talked to whom, and what was denied, as it was observed',
    load: async () => (await import('./observe/index.ts')).runObserve,
  },
  {
    name: 'connections',
    summary: 'which connections into pods are live, and the rules that hold them',
    load: async () => (await import('./connections/index.ts')).runConnections,
  },
  {
    name: 'status',
    summary: 'how far policies are in force, and which pods lag and why',
    load: async () => (await import('./status/index.ts')).runStatus,
  },
  {
    name: 'wait',
    summary: 'until a policy is in force',
    load: async () => (await import('./status/index.ts')).runWait,
  },
  {
    name: 'dashboard',
    summary: 'observed flows in a browser: who talks to whom, what is denied and why',
    load: async () => (await import('./dashboard/index.ts')).runDashboard,
  },
  {
    name: 'lab',
    summary: 'a small cluster on this machine, made of network namespaces',
    load: async () => (await import('./lab/index.ts')).runLab,
  },
  {
    name: 'test',
    summary: 'whether connections are allowed and denied as a file of cases says',
    load: async () => (await import('./cases/index.ts')).runTest,
  },
  {
    name: 'completion',
    summary: 'the script by which bash, zsh or fish completes command lines',
    load: async () => (await import('./completion/index.ts')).runCompletion,
  },
];
