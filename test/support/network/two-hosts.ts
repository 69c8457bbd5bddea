/**
 * Two hosts with a cable between them, as network namespaces of Linux that exist as long as a test: what loopback never does (loss,
 * delay, a cable that is cut) happens there.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'vitest';
import { type Running, start } from '../process/command.ts';

/** One of the two hosts. */
export interface Host {
  readonly address: string;
  /** The command line that runs a program on this host. */
  command(words: readonly [string, ...string[]]): [string, ...string[]];
}

export interface TwoHosts {
  readonly server: Host;
  readonly client: Host;
  /** Loses this percentage of the packets in each direction, at random. */
  lose(percentage: number): void;
  /** Loses all packets: the cable is cut. */
  cut(): void;
  /** Answers the client's packets with a reset instead of delivering them, as a firewall does. */
  refuse(): void;
  /** Everything arrives again. */
  heal(): void;
}

const link = new URL('./link.py', import.meta.url).pathname;
const packages = ['iproute2', 'nftables', 'python3'];

/**
 * `test`, for tests that need two hosts. It is skipped, with the reason, where this machine does not allow namespaces or TUN devices,
 * which no package could change. In CI a missing program fails it.
 *
 * @param more other programs that it needs, which are packages of the same names
 */
export function testWithTwoHosts(name: string, run: () => Promise<void>, more: readonly string[] = []): void {
  const missing = ['ip', 'nft', 'nsenter', 'unshare', 'python3', ...more].filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`], { env: environment }).status !== 0,
  );
  const reason =
    missing.length > 0
      ? `no ${missing.join(' and ')}: apt-get install ${[...packages, ...more].join(' ')}`
      : whyNoHosts();
  test(name, async ({ skip }) => {
    if (missing.length > 0 && process.env.CI) throw new Error(reason);
    if (reason !== undefined) skip(reason);
    await run();
  });
}

/** Programs for administrators may not be on the path. */
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

function whyNoHosts(): string | undefined {
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  const tried =
    'ip link set lo up && nft list ruleset && ip tuntap add dev try0 mode tun && nsenter --net=/proc/self/ns/net true';
  const { status, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', tried], { env: environment, encoding: 'utf8' });
  return status === 0 ? undefined : `network namespaces are not allowed here: ${stderr.trim().split('\n')[0]}`;
}

let networks = 0;

/** Connects two new hosts. A packet takes `delayMs` in each direction. They vanish when the test ends. */
export async function twoHosts(delayMs: number): Promise<TwoHosts> {
  const holders = await Promise.all([1, 2].map(openNamespace));
  const [serverSpace, clientSpace] = holders as [Running, Running];
  const name = `yo${process.pid}n${networks++}`;
  const cable = start(['python3', link, `${delayMs}`, `${name}a`, `${name}b`]);
  await cable.saw(/linked/);
  plug(`${name}a`, serverSpace.pid, '10.213.7.1');
  plug(`${name}b`, clientSpace.pid, '10.213.7.2');
  const [server, client] = [hostIn(serverSpace.pid, '10.213.7.1'), hostIn(clientSpace.pid, '10.213.7.2')];
  const filter = (rule: string, where: readonly Running[] = holders) => {
    for (const { pid } of where) {
      const chain = `chain in { type filter hook input priority 0; iifname != "lo" ${rule}\n}`;
      within(pid, ['nft', `flush ruleset\ntable ip cable {\n${chain}\n}\n`]);
    }
  };
  return {
    server,
    client,
    lose: (percentage) => filter(`numgen random mod 1000 < ${Math.round(percentage * 10)} drop`),
    cut: () => filter('drop'),
    // Only here: the resets themselves must arrive.
    refuse: () => filter('meta l4proto tcp reject with tcp reset', [serverSpace]),
    heal: () => filter('accept'),
  };
}

/** A program that does nothing but keep its namespace. */
async function openNamespace(): Promise<Running> {
  const holder = start(['unshare', '--net', 'sh', '-c', 'echo open; exec sleep 600'], {
    env: { PATH: environment.PATH },
  });
  await holder.saw(/open/);
  return holder;
}

/** Moves the device into the namespace of the process, and gives it an address. */
function plug(device: string, pid: number, address: string): void {
  execFileSync('ip', ['link', 'set', device, 'netns', `${pid}`], { env: environment });
  within(pid, ['ip', 'link', 'set', 'lo', 'up']);
  within(pid, ['ip', 'address', 'add', `${address}/30`, 'dev', device]);
  within(pid, ['ip', 'link', 'set', device, 'up']);
}

function within(pid: number, words: readonly string[]): void {
  execFileSync('nsenter', [`--net=/proc/${pid}/ns/net`, '--', ...words], { env: environment });
}

function hostIn(pid: number, address: string): Host {
  return { address, command: (words) => ['nsenter', `--net=/proc/${pid}/ns/net`, '--', ...words] };
}
