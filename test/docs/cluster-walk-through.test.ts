/** Runs the walk-through of docs/clusters.md, from one server to three behind haproxy with Redis, on free ports. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { commandsIn, type ShownCommand } from '../support/console-sessions.ts';
import { temporaryFolder } from '../support/files.ts';
import { Peer } from '../support/peer.ts';
import { freePort } from '../support/ports.ts';
import { type Outcome, type Running, run, start } from '../support/process/command.ts';
import { folderWithYodel } from '../support/shell.ts';
import { testWith } from '../support/tools.ts';

const page = readFileSync(new URL('../../docs/clusters.md', import.meta.url), 'utf8');
const names = ['one', 'two', 'three'] as const;

/** The ports of the page, and those that are used. */
class Ports {
  readonly #used: ReadonlyMap<string, number>;

  private constructor(used: ReadonlyMap<string, number>) {
    this.#used = used;
  }

  static async of(shown: readonly number[]): Promise<Ports> {
    const used = new Map<string, number>();
    for (const port of shown) used.set(String(port), await freePort());
    return new Ports(used);
  }

  of(port: number): number {
    return this.#used.get(String(port)) as number;
  }

  in(text: string): string {
    return text.replaceAll(/\b\d{4}\b/g, (port) => String(this.#used.get(port) ?? port));
  }
}

/** What the page shows, in a folder of its own. */
class WalkThrough {
  readonly folder: string = temporaryFolder();
  readonly ports: Ports;
  readonly #path = `${folderWithYodel()}:${process.env.PATH}:/usr/sbin`;

  constructor(ports: Ports) {
    this.ports = ports;
  }

  /** The commands of a block. */
  commands(name: string): readonly ShownCommand[] {
    const [, block = ''] = new RegExp(`<!-- ${name} -->\n\`\`\`console\n(.*?)\`\`\``, 's').exec(page) ?? [];
    return commandsIn(block);
  }

  command(name: string, index: number): ShownCommand {
    return this.commands(name)[index] as ShownCommand;
  }

  /** A file that the page shows, which begins with its name. */
  file(name: string): string {
    const [, text = ''] = new RegExp(`\`\`\`\\w+\n(# ${name}\n.*?)\`\`\``, 's').exec(page) ?? [];
    return this.ports.in(text);
  }

  /** Starts a command, and waits for what it prints. */
  async start({ command }: ShownCommand, ready: RegExp, env: NodeJS.ProcessEnv = {}): Promise<Running> {
    const running = start(['sh', '-c', `exec ${this.ports.in(command)}`], this.#options(env));
    await running.saw(ready);
    return running;
  }

  run({ command }: ShownCommand): Promise<Outcome> {
    return run(['sh', '-c', this.ports.in(command)], this.#options({}));
  }

  /** Which servers haproxy uses. */
  async states(): Promise<Record<string, string>> {
    const { stdout } = await this.run(this.command('load balancer', 1));
    const rows = stdout.toString().trim().split('\n');
    return Object.fromEntries(rows.map((row) => row.split(',')));
  }

  #options(env: NodeJS.ProcessEnv) {
    return { cwd: this.folder, env: { ...env, PATH: this.#path } };
  }
}

/** A member of the chat, which connects to haproxy from an address of its own. */
class Member {
  readonly peer: Peer;
  readonly address: string;
  readonly nick: string;

  private constructor(peer: Peer, address: string, nick: string) {
    this.peer = peer;
    this.address = address;
    this.nick = nick;
  }

  static async of(port: number, address: string, nick: string): Promise<Member> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: address });
    await once(socket, 'connect');
    const member = new Member(new Peer(socket), address, nick);
    await member.peer.saw(/joined lobby/);
    await member.#isCalled(nick);
    return member;
  }

  /** The server may learn a moment later than others that who had the name is gone. */
  async #isCalled(nick: string): Promise<void> {
    for (;;) {
      const before = this.peer.size;
      const said = () => this.peer.received.subarray(before).toString();
      await this.says(`/nick ${nick}`);
      await expect.poll(said).toMatch(new RegExp(`is now ${nick}\n|^error: `, 'm'));
      if (said().includes(`is now ${nick}\n`)) return;
      await delay(200);
    }
  }

  says(line: string): Promise<void> {
    return this.peer.send(`${line}\n`);
  }

  hears(from: Member, line: string): Promise<unknown> {
    return this.peer.saw(new RegExp(`${from.nick}: ${line}\n`));
  }

  /** Which of the servers has it, by the address in their logs. */
  async server(servers: readonly Running[]): Promise<number> {
    const seen = new RegExp(`"connected".*"peer":"${this.address.replaceAll('.', '\\.')}:`);
    await expect.poll(() => servers.filter(({ stdout }) => seen.test(stdout())).length).toBe(1);
    return servers.findIndex(({ stdout }) => seen.test(stdout()));
  }
}

testWith(['haproxy', 'redis-server', 'socat', 'openssl'], 'apt-get install haproxy redis-server socat openssl')(
  'from one server to three behind haproxy, which are stopped, killed and cut off',
  async () => {
    const walk = new WalkThrough(await Ports.of([7878, 7881, 7882, 7883, 9181, 9182, 9183, 6379]));
    const port = walk.ports.of(7878);
    const alone = await walk.start(walk.command('one server', 0), /listening on/, {
      YODEL_LISTEN: `127.0.0.1:${port}`,
    });
    await Member.of(port, '127.0.0.1', 'ana');
    await alone.stop();

    const redisCommand = walk.command('bus', 0);
    const redis = await walk.start(redisCommand, /Ready to accept connections/);
    const check = await walk.run(walk.command('bus', 1));
    expect([check.status, check.stderr]).toEqual([0, '']);
    for (const file of ['chat.toml', 'haproxy.cfg']) writeFileSync(join(walk.folder, file), walk.file(file));
    const startServer = (index: number) => walk.start(walk.command('servers', index), /listening on/);
    expect(walk.commands('servers')).toHaveLength(names.length);
    const servers = await Promise.all([0, 1, 2].map(startServer));
    const [balancer, states] = walk.commands('load balancer') as [ShownCommand, ShownCommand];
    start(['sh', '-c', `exec ${balancer.command}`], {
      cwd: walk.folder,
      env: { PATH: `${process.env.PATH}:/usr/sbin` },
    });
    await expect.poll(async () => (await walk.run(states)).stdout.toString()).toBe(states.shown);

    // Each client gets the server with the fewest.
    const [first, ben, cat] = [
      await Member.of(port, '127.0.0.11', 'ana'),
      await Member.of(port, '127.0.0.12', 'ben'),
      await Member.of(port, '127.0.0.13', 'cat'),
    ];
    let ana = first;
    const serverOf = await Promise.all([ana, ben, cat].map((member) => member.server(servers)));
    expect([...serverOf].sort()).toEqual([0, 1, 2]);
    await expect.poll(async () => await present(ana)).toEqual(['ana', 'ben', 'cat']);
    await ana.says('hello');
    for (const member of [ana, ben, cat]) await member.hears(ana, 'hello');
    await withTls(walk, ana);

    // A server is stopped.
    const [ofAna] = serverOf as [number];
    servers[ofAna]?.process.kill('SIGTERM');
    await expect.poll(async () => (await walk.states())[names[ofAna] as string]).toBe('DOWN');
    await ana.says('still here');
    await ben.hears(ana, 'still here');
    await ana.peer.ended;
    await ben.peer.saw(/ana left lobby/);
    expect((await servers[ofAna]?.ended)?.status).toBe(0);
    ana = await Member.of(port, '127.0.0.21', 'ana');
    await expect.poll(async () => await present(ana)).toEqual(['ana', 'ben', 'cat']);
    await ana.says('again');
    await ben.hears(ana, 'again');
    servers[ofAna] = await startServer(ofAna);
    await expect.poll(async () => (await walk.states())[names[ofAna] as string]).toBe('UP');

    // A server is killed: before haproxy knows, too, all new clients are served.
    const dan = await Member.of(port, '127.0.0.22', 'dan');
    expect(await dan.server(servers)).toBe(ofAna);
    servers[ofAna]?.process.kill('SIGKILL');
    await dan.peer.closed;
    // A connection that the system has accepted for it just before its end is lost with it.
    await servers[ofAna]?.ended;
    const others = ['eve', 'fay', 'gil', 'hal'];
    for (const [index, nick] of others.entries()) await Member.of(port, `127.0.0.${30 + index}`, nick);
    await expect.poll(async () => await present(cat)).toEqual(['ana', 'ben', 'cat', ...others]);
    servers[ofAna] = await startServer(ofAna);
    await expect.poll(async () => (await walk.states())[names[ofAna] as string]).toBe('UP');

    // Redis is away.
    redis.process.kill('SIGKILL');
    await expect.poll(async () => await walk.states()).toEqual({ one: 'UP', two: 'UP', three: 'DOWN', BACKEND: 'UP' });
    for (const number of [1, 2, 3]) await cat.says(`alone ${number}`);
    await cat.hears(cat, 'alone 3');
    await Member.of(port, '127.0.0.41', 'ida');
    await walk.start(redisCommand, /Ready to accept connections/);
    // The three, and perhaps that ida has come, which her server has told.
    await expect.poll(() => missedBy(ben)).toBeGreaterThanOrEqual(3);
    await expect.poll(async () => (await walk.states()).three).toBe('UP');
    expect(ben.peer.text).not.toMatch(/alone/);
  },
  120_000,
);

/** How many messages a member was told that it has missed. */
function missedBy({ peer }: Member): number {
  const told = peer.text.matchAll(/^\* You missed (\d+) messages? of lobby$/gm);
  return [...told].reduce((sum, [, messages]) => sum + Number(messages), 0);
}

/** Whom a member sees in the room, in the order of the alphabet. */
async function present(member: Member): Promise<string[]> {
  const before = member.peer.size;
  await member.says('/who');
  for (;;) {
    const [, list] = /^\* In lobby: (.*)$/m.exec(member.peer.received.subarray(before).toString()) ?? [];
    if (list !== undefined) return list.split(', ').sort();
    await delay(10);
  }
}

/** The same with TLS at haproxy: a second one, for the same servers. */
async function withTls(walk: WalkThrough, listener: Member): Promise<void> {
  const { certificate, both } = makeCertificate();
  const port = await freePort();
  const plain = readFileSync(join(walk.folder, 'haproxy.cfg'), 'utf8');
  const bind = `bind 127.0.0.1:${walk.ports.of(7878)}`;
  expect(plain).toContain(bind);
  const secure = plain.replace(bind, `bind 127.0.0.1:${port} ssl crt ${both}`).replace('haproxy.sock', 'secure.sock');
  writeFileSync(join(walk.folder, 'secure.cfg'), secure);
  const balancer = start(['/usr/sbin/haproxy', '-f', 'secure.cfg'], { cwd: walk.folder });
  await expect
    .poll(async () => {
      const command = `echo tom | yodel connect tls://localhost:${port} --cacert ${certificate}`;
      return (await walk.run({ command, shown: '' })).status;
    })
    .toBe(0);
  await listener.peer.saw(/: tom\n/);
  await balancer.stop('SIGKILL');
}
