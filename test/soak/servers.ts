/** The servers of a soak: real `yodel serve` processes of one runtime. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { join } from 'node:path';
import { limits } from './actions.ts';

export type Runtime = 'node' | 'bun';

/** A measurement of one server while it has no client. */
export interface Reading {
  /** Resident memory after a garbage collection, in bytes. */
  readonly resident: number;
  readonly timers: number;
  readonly descriptors: number;
}

/** A running server. */
export interface SoakServer {
  readonly name: string;
  readonly process: ChildProcess;
  /** As printed, in the order of the listeners. */
  readonly addresses: readonly string[];
  /** The port of the listener with this scheme. */
  portOf(scheme: string): number;
  /** The lines on stderr so far that report something unexpected. */
  complaints(): string[];
  /** How often it has reported that its event loop did not run for a second. Such time does not count for its time-outs. */
  blocks(): number;
  /** How often it has reloaded. */
  reloads(): number;
  read(): Promise<Reading>;
  /** Undefined while it runs. */
  ended(): string | undefined;
  /** SIGTERM; resolves with how it ended. */
  stop(): Promise<string>;
}

const root = new URL('../../', import.meta.url).pathname;
const command = join(root, 'dist/cli/yodel.cjs');
const probe = new URL('./probe.mjs', import.meta.url).pathname;

/** What a server prints on stderr only if it has a fault. */
const complaint = /internal error|please report|[Uu]ncaught|[Uu]nhandled|Warning: |Error: |^\s+at /;

/** Starts a server and resolves when it listens on all its addresses. */
export async function startServer(
  runtime: Runtime,
  name: string,
  folder: string,
  args: readonly string[],
): Promise<SoakServer> {
  const socket = join(folder, `${name}.probe`);
  const preload =
    runtime === 'bun' ? { BUN_OPTIONS: `--preload ${probe}` } : { NODE_OPTIONS: `--no-warnings --import ${probe}` };
  const child = spawn(runtime, [command, 'serve', ...args, '--log-format', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment(), ...preload, SOAK_PROBE: socket },
  });
  // The log is written as usual, and read by nobody.
  child.stdout.resume();
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  let end: string | undefined;
  const over = new Promise<string>((resolve) => {
    child.on('exit', (status, signal) => {
      end = signal ?? `status ${status}`;
      resolve(end);
    });
  });
  const listeners = args.filter((word) => word === '--listen').length;
  const addresses = () => [...stderr.matchAll(/^yodel: listening on (\S+)$/gm)].map(([, address = '']) => address);
  while (addresses().length < listeners && end === undefined) {
    await Promise.race([new Promise((resolve) => child.stderr.once('data', resolve)), over]);
  }
  if (end !== undefined) throw new Error(`${name} ended with ${end}: ${stderr}`);
  return {
    name,
    process: child,
    addresses: addresses(),
    portOf: (scheme) => Number(/:(\d+)\/?$/.exec(addresses().find((one) => one.startsWith(`${scheme}://`)) ?? '')?.[1]),
    complaints: () => stderr.split('\n').filter((line) => complaint.test(line)),
    blocks: () => stderr.match(/^yodel: the event loop has been blocked/gm)?.length ?? 0,
    reloads: () => stderr.match(/^yodel: reloaded/gm)?.length ?? 0,
    read: async () => {
      const descriptors = readdirSync(`/proc/${child.pid}/fd`).length;
      return { ...(await ask(socket)), descriptors };
    },
    ended: () => end,
    stop: () => {
      child.kill('SIGTERM');
      return over;
    },
  };
}

/** The servers of one runtime. The proxy is in front of the echo server. */
export interface Servers {
  readonly echo: SoakServer;
  readonly exec: SoakServer;
  readonly proxy: SoakServer;
  readonly chat: SoakServer;
  readonly all: readonly SoakServer[];
  /** The file in which the echo server records. */
  readonly journal: string;
  /** The path of the echo server's Unix socket. */
  readonly socket: string;
  /** Changes the settings or the certificate, and has the servers read them again. */
  reload(turn: number): void;
}

/** Starts all servers of a runtime, with their files in the folder. */
export async function startServers(runtime: Runtime, folder: string): Promise<Servers> {
  const at = (name: string) => join(folder, name);
  const [journal, socket, config] = [at('soak.journal'), at('echo.sock'), at('yodel.toml')];
  for (const name of ['first', 'second']) makeCertificate(at(name));
  copyFileSync(at('first.pem'), at('current.pem'));
  writeFileSync(config, 'maxMessages = 1000000\n');
  const limited = [
    ...['--max-message', `${limits.messageLength}`, '--message-timeout', `${limits.messageTimeoutMs}ms`],
    ...['--idle-timeout', `${limits.idleTimeoutMs}ms`, '--drain-timeout', `${limits.drainTimeoutMs}ms`],
  ];
  const local = ['--listen', 'tcp://127.0.0.1:0'];
  const echo = await startServer(runtime, 'echo', folder, [
    ...[
      'echo',
      ...local,
      '--listen',
      'tls://127.0.0.1:0',
      '--listen',
      'ws://127.0.0.1:0',
      '--listen',
      `unix://${socket}`,
    ],
    ...['--cert', at('current.pem'), '--journal', journal, '--config', config, ...limited],
  ]);
  const [exec, proxy, chat] = await Promise.all([
    startServer(runtime, 'exec', folder, ['exec:cat', ...local, ...limited]),
    startServer(runtime, 'proxy', folder, [`proxy:127.0.0.1:${echo.portOf('tcp')}`, ...local]),
    startServer(runtime, 'chat', folder, [new URL('./chat.ts', import.meta.url).pathname, ...local, ...limited]),
  ]);
  const all = [echo, exec, proxy, chat];
  const reload = (turn: number) => {
    writeFileSync(config, `maxMessages = ${1_000_000 + turn}\n`);
    copyFileSync(at(turn % 2 === 0 ? 'first.pem' : 'second.pem'), at('next.pem'));
    renameSync(at('next.pem'), at('current.pem'));
    for (const { process } of all) process.kill('SIGHUP');
  };
  return { echo, exec, proxy, chat, all, journal, socket, reload };
}

/** A self-signed certificate and its key in one file. Needs `openssl`. */
function makeCertificate(path: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${path}.pem`];
  const words = ['req', '-x509', ...key, '-out', `${path}.certificate`, '-days', '2', '-subj', '/CN=localhost'];
  execFileSync('openssl', words, { stdio: 'ignore' });
  execFileSync('sh', ['-c', 'cat "$1.certificate" >> "$1.pem" && chmod 600 "$1.pem"', 'sh', path]);
}

function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(YODEL_|NODE_OPTIONS$|BUN_OPTIONS$)/.test(name));
  return { ...Object.fromEntries(entries), PATH: `${root}node_modules/.bin:${process.env.PATH}` };
}

async function ask(path: string): Promise<{ resident: number; timers: number }> {
  const socket = net.connect(path);
  let text = '';
  for await (const chunk of socket) text += chunk;
  return JSON.parse(text);
}
