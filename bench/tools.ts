/** The programs and libraries that contenders and workloads need, as plain data. */
import { fileURLToPath } from 'node:url';

/** A program or library that a contender or a workload needs. */
export interface Tool {
  readonly name: string;
  /** Prints its version and exits with status 0 if it is installed. */
  readonly version: readonly [string, ...string[]];
  readonly install: string;
}

/** The built command. */
export const command: string = fileURLToPath(new URL('../dist/cli/yodel.cjs', import.meta.url));
export const python: string = process.env.PYTHON ?? '/usr/bin/python3';
/** Starts nginx as a contender. */
export const nginxStarter: string = fileURLToPath(new URL('peers/nginx-tls.sh', import.meta.url));

export const gcc: Tool = { name: 'gcc', version: ['gcc', '--version'], install: 'apt-get install gcc libc6-dev' };
export const rustc: Tool = { name: 'rustc', version: ['rustc', '--version'], install: 'https://rustup.rs' };
export const cargo: Tool = {
  name: 'cargo',
  version: ['cargo', '--version'],
  install:
    'https://rustup.rs; without crates.io: apt-get install librust-tokio-dev librust-tokio-util-dev librust-futures-dev',
};
export const go: Tool = { name: 'go', version: ['go', 'version'], install: 'apt-get install golang-go' };
export const node: Tool = { name: 'node', version: ['node', '--version'], install: 'npm install' };
export const bun: Tool = { name: 'bun', version: ['bun', '--version'], install: 'npm install' };
export const builtCommand: Tool = { name: 'yodel', version: ['node', command, '--version'], install: 'npm run build' };
export const pythonTool: Tool = { name: 'python', version: [python, '--version'], install: 'apt-get install python3' };
export const uvloop: Tool = {
  name: 'uvloop',
  version: [python, '-c', 'import uvloop; print(uvloop.__version__)'],
  install: 'apt-get install python3-uvloop (PYTHON=… names another interpreter)',
};
export const ncat: Tool = { name: 'ncat', version: ['ncat', '--version'], install: 'apt-get install ncat' };
export const socat: Tool = { name: 'socat', version: ['socat', '-V'], install: 'apt-get install socat' };
export const redis: Tool = {
  name: 'redis',
  version: ['redis-server', '--version'],
  install: 'apt-get install redis-server',
};
export const nats: Tool = {
  name: 'nats',
  version: ['nats-server', '--version'],
  install: 'apt-get install nats-server',
};
export const socketIo: Tool = {
  name: 'socket.io',
  version: ['node', '-p', 'require("socket.io/package.json").version'],
  install: 'npm install',
};
export const socketIoRedis: Tool = {
  name: '@socket.io/redis-adapter',
  version: ['node', '-p', 'require("@socket.io/redis-adapter/package.json").version'],
  install: 'npm install',
};
export const socketIoStreams: Tool = {
  name: '@socket.io/redis-streams-adapter',
  version: ['node', '-p', 'require("@socket.io/redis-streams-adapter/package.json").version'],
  install: 'npm install',
};
export const ws: Tool = {
  name: 'ws',
  version: ['node', '-p', 'require("ws/package.json").version'],
  install: 'npm install',
};
export const nginx: Tool = {
  name: 'nginx with its stream module',
  version: ['sh', nginxStarter, '--version'],
  install: 'apt-get install nginx libnginx-mod-stream',
};
/** Runs the attackers with the priority of an idle process. */
export const chrt: Tool = { name: 'chrt', version: ['chrt', '--version'], install: 'apt-get install util-linux' };
/** Makes the certificate. */
export const openssl: Tool = { name: 'openssl', version: ['openssl', 'version'], install: 'apt-get install openssl' };
/** The load generator speaks TLS with it. The version is that of the headers. */
export const libssl: Tool = {
  name: 'libssl',
  version: ['sh', '-c', 'printf "#include <openssl/opensslv.h>\\nOPENSSL_VERSION_TEXT\\n" | gcc -E -P -'],
  install: 'apt-get install libssl-dev',
};
