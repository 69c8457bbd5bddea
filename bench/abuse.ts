/** Measures an innocent client alone, and beside an attack on its server. README.md describes how. */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Attack } from './attacks/attacks.ts';
import { type Command, type Contender, certificate } from './contenders.ts';
import { type Latencies, loadCommand, runGenerator, type Settings } from './generator.ts';
import { startForeignTimer } from './machine.ts';
import { type Child, capture, start } from './processes.ts';
import { Failure, freePort, pinned, type Server, startServer, timeoutMs } from './server.ts';

/** What the innocent client saw of its server, in microseconds. */
export interface Paced extends Latencies {
  readonly max: number;
  /** The longest time by which the client itself was late with a message. */
  readonly late: number;
}

/** One server with one attack. */
export interface Abuse {
  readonly alone: Paced;
  /** While the same attack goes to another server, which shares the attacker's core. */
  readonly elsewhere: Paced;
  readonly beside: Paced;
  /** The length of each of the three. */
  readonly seconds: number;
  /** What the attack achieved per second, in its own unit. */
  readonly attackRate: number;
  /** Processor time of other processes meanwhile, as a share of one core. */
  readonly foreign: number | undefined;
}

/** The client sends a message each time this has passed, in milliseconds. */
const interval = 10;
/** Each of the three measurements takes this number of slices, so that there are enough messages for a p99. */
export const slicesOfPhase = 20;
/** The time from the first message, or from the begin of the attack, that is not measured. */
const settleSeconds = 0.5;
/** An attack that was forgotten ends itself this long after its measurement. */
const spareSeconds = 60;

const program = fileURLToPath(new URL('attacks/attack.ts', import.meta.url));

interface Target extends Server {
  /** The port of the listener that is attacked; `port` is that of the client. */
  readonly attacked: number;
}

/**
 * Starts two servers of the contender and measures three times: alone, while the second server is attacked, and while the
 * first one is.
 *
 * @param warmUp puts the server on this port under load for so many seconds
 * @throws Failure when a server or the attack fails, and when a message is not answered
 */
export async function measureAbuse(
  contender: Contender,
  attack: Attack,
  settings: Settings,
  warmUp: (port: number, seconds: number) => Promise<unknown>,
): Promise<Abuse> {
  const { cores, warmUpSeconds } = settings;
  const servers: Target[] = [];
  try {
    const target = await startTarget(contender, attack, cores?.server);
    servers.push(target);
    const other = await startTarget(contender, attack, cores?.load);
    servers.push(other);
    return await explained(target, async () => {
      await warmUp(target.port, warmUpSeconds);
      const foreign = startForeignTimer([target.pid, other.pid]);
      const alone = await pace(target, settings);
      const { paced: elsewhere } = await paceBeside(attack, other, target, settings);
      const { paced: beside, rate } = await paceBeside(attack, target, target, settings);
      const seconds = settings.seconds * slicesOfPhase;
      return { alone, elsewhere, beside, seconds, attackRate: rate, foreign: foreign() };
    });
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
  }
}

async function explained<Result>(server: Server, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw server.explain(error);
  }
}

/** The flags that open a listener of each kind. */
const listeners: { readonly [kind in NonNullable<Attack['at']>]: (port: number) => readonly string[] } = {
  ws: (port) => ['--listen', `ws://127.0.0.1:${port}`],
  tls: (port) => ['--listen', `tls://127.0.0.1:${port}`, '--cert', certificate],
  metrics: (port) => ['--metrics', `127.0.0.1:${port}`],
};

async function startTarget(
  { serves, name }: Contender,
  { handler = 'echo', at }: Attack,
  core: number | undefined,
): Promise<Target> {
  const serve = serves.abuse;
  if (!serve) throw new Error(`${name} cannot be attacked`);
  const [port, second] = [await freePort(), await freePort()];
  const flags = [handler, ...(at ? listeners[at](second) : [])];
  const command = serve({ port, flags, clients: descriptors, folder: '', longestMessage: 65_536 });
  const server = await startServer(command, port, descriptors, core);
  return { ...server, attacked: at ? second : port };
}

/** More than the connections of any attack. */
const descriptors = 8000;

/**
 * Lets processes run only when their core has nothing else to do (`idle`), so that they cannot keep the client from the core
 * they share; or normally again (`other`), because on a busy machine they would take long to start and to end. Linux may
 * allow the latter only to root.
 */
async function schedule(policy: 'idle' | 'other', processes: readonly { readonly pid: number }[]): Promise<void> {
  const change = ({ pid }: { readonly pid: number }) =>
    capture(['chrt', '--all-tasks', `--${policy}`, '--pid', '0', `${pid}`], { withinMs: 5000 });
  await Promise.all(processes.map(change));
}

async function pace({ port }: Server, settings: Settings): Promise<Paced> {
  const seconds = settings.seconds * slicesOfPhase;
  const options = ['-m', 'pace', '-i', `${interval}`, '-t', `${seconds}`, '-w', `${settleSeconds}`];
  const command = await inTime(loadCommand(port, options));
  return await runGenerator(command, seconds + settleSeconds, settings);
}

/** Runs the client before everything else on its core, where this user may do that: it is the measuring instrument. */
async function inTime(command: Command): Promise<Command> {
  const first: Command = ['chrt', '--fifo', '1'];
  const { status } = await capture([...first, 'true'], { withinMs: 5000 });
  return status === 0 ? [...first, ...command] : command;
}

/** Measures the client of one server while a server, the same or another one, is attacked. */
async function paceBeside(
  attack: Attack,
  victim: Target,
  server: Target,
  settings: Settings,
): Promise<{ readonly paced: Paced; readonly rate: number }> {
  const lasting = settings.seconds * slicesOfPhase + spareSeconds;
  const command: Command = ['node', program, attack.name, `${victim.attacked}`, `${lasting}`];
  const attacker = start(pinned(settings.cores?.load, command), { input: 'pipe' });
  try {
    const next = lineReader(attacker);
    await next('the attack did not begin');
    const sharing = victim === server ? [attacker] : [attacker, victim];
    await schedule('idle', sharing);
    const paced = await pace(server, settings);
    if (attacker.hasEnded()) throw new Failure('the attack ended before the measurement did');
    await schedule('other', sharing);
    attacker.process.stdin?.end();
    const { done, seconds } = JSON.parse(await next('the attack did not end')) as { done: number; seconds: number };
    return { paced, rate: done / seconds };
  } finally {
    await attacker.kill();
  }
}

/** Returns a function that resolves with the next line that a program prints, and fails when it ends or takes too long. */
function lineReader({ process, ended }: Child): (failure: string) => Promise<string> {
  const lines = process.stdout ? createInterface({ input: process.stdout })[Symbol.asyncIterator]() : undefined;
  let errors = '';
  process.stderr?.on('data', (text) => {
    errors += text;
  });
  return async (failure) => {
    const late = delay(timeoutMs, undefined, { ref: false });
    const line = await Promise.race([lines?.next(), late]);
    if (typeof line?.value === 'string') return line.value;
    await Promise.race([ended, late]);
    throw new Failure(`${failure}: ${errors.trim().split('\n').at(-1) || 'it printed nothing'}`);
  };
}
