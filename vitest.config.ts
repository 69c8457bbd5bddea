import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

interface Part {
  readonly name: string;
  /** What is in it, and why it runs where it does. */
  readonly why: string;
  readonly runtimes: 'Node' | 'Node and Bun';
  /** Whether its files share a process, and the sources loaded in it, with others of the same part. */
  readonly isShared: boolean;
  /** Whether it runs dist/, which is then built first if it is stale. */
  readonly runsBuild: boolean;
  /** Test files, below test/. */
  readonly files: readonly string[];
}

/**
 * Where each test file runs. A file that no row names is one of `processes`.
 */
const parts: readonly Part[] = [
  {
    name: 'pure',
    why: 'No sockets, timers or processes, and nothing of the runtime but the language: one runtime shows it all.',
    runtimes: 'Node',
    isShared: true,
    runsBuild: false,
    files: [
      '{address,error-codes,errors,linked-set,options,queue,suggestion}.test.ts',
      'load/{attribution,histogram,open-loop,payload,schedule,send-times,stages,replies/*,result/*}.test.ts',
      'metrics/{hosts,http-request,shared}.test.ts',
      'report/**/*.test.ts',
      'process/{command-words,stall}.test.ts',
      'telemetry/**/*.test.ts',
      'terminal/{escape,input,keys,layout}.test.ts',
      'transcript/{align,content,grammar,json,parse,walk}.test.ts',
    ],
  },
  {
    name: 'library',
    why: 'In one process, over what differs between the runtimes: buffers, streams, timers, Intl, cryptography, sockets (most of them in memory).',
    runtimes: 'Node and Bun',
    isShared: true,
    runsBuild: false,
    files: [
      'misuse.test.ts',
      '{browser,cli,client,codec,format,framing,handlers,log,members,replay,requests,rooms,server,session,terminal,testing,transcript}/**/*.test.ts',
    ],
  },
  {
    name: 'sockets',
    why: 'In one process, over real sockets, files and threads.',
    runtimes: 'Node and Bun',
    isShared: false,
    runsBuild: false,
    files: [
      'clock.test.ts',
      '{bus,journal,metrics,transport}/**/*.test.ts',
      'faults/{fairness,resets,unfinished-websocket}.test.ts',
    ],
  },
  {
    name: 'bench',
    why: 'The benchmark, which starts the servers of both runtimes itself.',
    runtimes: 'Node',
    isShared: true,
    runsBuild: true,
    files: ['bench/**/*.test.ts'],
  },
  {
    name: 'texts',
    why: 'The command, for what it prints and how it reads its arguments; the documents, beside the programs that they name. What the command does with sockets, pipes and signals, and what passes between yodel and those programs, is in `processes` and `sockets`.',
    runtimes: 'Node',
    isShared: true,
    runsBuild: true,
    files: [
      'modules.test.ts',
      'docs/{architecture,beside-others,cluster-walk-through,clusters,connect,fault-matrix,journal,links,load-tests,manual,pipes,protocols,readme,real-servers,reference,security,shell,transcripts}.test.ts',
      'e2e/bench/results.test.ts',
      'e2e/command-line/{complaints,completion,config,help,usage-errors}.test.ts',
      'e2e/connect/contexts.test.ts',
      // The sections of docs/real-servers.md. The same servers and clients talk through yodel in interop/protocols/recording.test.ts.
      'interop/workbench/**/*.test.ts',
      // It rewrites transcripts. That test, too, talks to these servers.
      'interop/check-updates.test.ts',
      // Without yodel.
      'interop/protocols/servers.test.ts',
    ],
  },
  {
    name: 'package',
    why: 'What is published, installed into empty projects and compiled; the tests start each runtime themselves.',
    runtimes: 'Node',
    isShared: false,
    runsBuild: true,
    files: ['package/**/*.test.ts'],
  },
  {
    name: 'soak',
    why: 'A minute with little load, in processes of both runtimes, which the test starts itself.',
    runtimes: 'Node',
    isShared: false,
    runsBuild: true,
    files: ['soak/**/*.test.ts'],
  },
  {
    name: 'processes',
    why: 'The command with real sockets, pipes, terminals, signals and files, beside the programs of others.',
    runtimes: 'Node and Bun',
    isShared: true,
    runsBuild: true,
    files: ['**/*.test.ts'],
  },
];

const isBun = process.versions.bun !== undefined;
/** With TEST_ALL set, Bun runs everything that Node runs. */
const runsEverything = !isBun || process.env.TEST_ALL !== undefined;

function projectsOf(all: readonly Part[]): TestProjectConfiguration[] {
  const projects = all.map(({ name, runtimes, isShared, runsBuild, files }, row) => ({
    runs: runsEverything || runtimes === 'Node and Bun',
    project: {
      extends: true as const,
      test: {
        name,
        isolate: !isShared,
        globalSetup: runsBuild ? ['test/support/process/current-build.ts'] : [],
        include: below(files),
        exclude: below(all.slice(0, row).flatMap((earlier) => earlier.files)),
      },
    },
  }));
  return projects.filter(({ runs }) => runs).map(({ project }) => project);
}

function below(files: readonly string[]): string[] {
  return files.map((file) => `test/${file}`);
}

/**
 * The parts in the order in which they start. On Node the first three have the longest files, which wait most of the time; the
 * library keeps the processor busy meanwhile. The last part has the shortest files: then no worker is left alone with a long one.
 */
const startOrder: readonly string[] = isBun
  ? ['processes', 'sockets', 'library']
  : ['soak', 'package', 'bench', 'library', 'texts', 'processes', 'sockets', 'pure'];

/** Within a part vitest starts with the files that took longest the last time, or are the largest. */
class InStartOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ project }: TestSpecification) => startOrder.indexOf(project.name);
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    // vitest's default pool, "forks", talks over child_process IPC in a way that Bun does not have yet.
    pool: isBun ? 'threads' : 'forks',
    globalSetup: ['test/support/process/leftovers.ts', 'test/support/process/compile-cache.ts'],
    setupFiles: ['test/support/process/name-processes.ts'],
    // On a busy machine a test of ten seconds takes four times as long.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    // Most files wait for processes half of the time: with two for each core, the cores are idle for a fifth of it. With three,
    // tests wait for each other.
    maxWorkers: Math.min(Math.ceil(2.5 * availableParallelism()), 8),
    sequence: { sequencer: InStartOrder },
    projects: projectsOf(parts),
    coverage: {
      // Not counted: what tests run as a process, and threads. The command is nothing else, so it is left out.
      include: ['src/**/*.ts'],
      exclude: ['src/cli/**'],
      reporter: ['text-summary', 'html', 'json-summary'],
    },
  },
});
