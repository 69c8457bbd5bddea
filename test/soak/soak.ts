/**
 * A mixed load with all faults at random, for a long time: every reply once and in order, nothing lost from the journal, and
 * memory, descriptors and timers flat.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Action, allActions, chosenFrom, ofPrograms, withoutLimits } from './actions.ts';
import { joinChat } from './chat-member.ts';
import { Conversation, dial, dialTls, type Opened } from './conversation.ts';
import { afterWarmUp, growthOf } from './flat.ts';
import { Random } from './random.ts';
import { type Answered, problemsOfJournal } from './recorded.ts';
import { type Reading, type Runtime, type Servers, type SoakServer, startServers } from './servers.ts';
import { Stalls } from './stalls.ts';
import { WebSocketWire } from './wires.ts';

export interface SoakOptions {
  readonly runtime: Runtime;
  readonly seconds: number;
  readonly seed: number;
  /** Clients that are connected at the same time. */
  readonly clients: number;
  /** Called with a line of progress after each round. */
  readonly progress: (line: string) => void;
}

export interface SoakResult {
  readonly runtime: Runtime;
  readonly seed: number;
  readonly connections: number;
  readonly messages: number;
  readonly reloads: number;
  /** How often each action was taken. */
  readonly actions: Readonly<Record<string, number>>;
  /** Connections that ended too early or too late while this process or a server did not run. */
  readonly excused: number;
  /** A line for each server. */
  readonly growth: readonly string[];
  /** What is wrong. Empty if everything is right. */
  readonly problems: readonly string[];
}

/** Clients start in rounds. Between them all have left, and the servers are measured. */
const roundSeconds = 6;
/** Maximum time of one connection. */
const actionMs = 40_000;
/** Maximum number of problems that are collected; one cause may have thousands. */
const mostProblems = 20;

interface Route {
  readonly actions: readonly Action[];
  /** Whether its messages are in the journal. */
  readonly isRecorded: boolean;
  /** @param canReset whether the connection must be able to reset */
  open(canReset: boolean): Promise<Opened>;
}

type Measured = Reading & { readonly at: number };

/** Runs the soak on one runtime. Needs `openssl`, and a current build. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
  const servers = await startServers(options.runtime, folder);
  const run = new Soak(options, servers);
  try {
    await run.all();
    return await run.finish();
  } finally {
    for (const { process } of servers.all) process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #servers: Servers;
  readonly #problems: string[] = [];
  readonly #actions: Record<string, number> = {};
  readonly #answered: Answered[] = [];
  readonly #measured = new Map<SoakServer, Measured[]>();
  readonly #stalls = new Stalls();
  readonly #from = performance.now();
  #connections = 0;
  #messages = 0;
  #reloads = 0;
  #excused = 0;

  constructor(options: SoakOptions, servers: Servers) {
    this.#options = options;
    this.#servers = servers;
  }

  /** Rounds until the time is over, or too much is wrong. */
  async all(): Promise<void> {
    const { seconds, progress } = this.#options;
    while (this.#elapsed() < seconds && this.#problems.length < mostProblems) {
      await this.#round(Math.min(roundSeconds, seconds - this.#elapsed()));
      await this.#measure();
      progress(`${Math.round(this.#elapsed())} s: ${this.#connections} connections, ${this.#messages} messages`);
    }
  }

  /** Ends the servers and judges. */
  async finish(): Promise<SoakResult> {
    const { runtime, seed } = this.#options;
    const { all, echo, journal } = this.#servers;
    for (const server of all) this.#note(server.name, server.complaints());
    if (echo.reloads() === 0 && this.#reloads > 0) this.#note('echo', ['it never reloaded']);
    const endings = await Promise.all(all.map(async (server) => ({ server, ending: await server.stop() })));
    for (const { server, ending } of endings)
      if (ending !== 'status 0') this.#note(server.name, [`it ended with ${ending}`]);
    this.#note('journal', await problemsOfJournal(journal, this.#answered));
    const growth = all.map((server) => this.#judge(server));
    this.#stalls.end();
    return {
      ...{ runtime, seed, connections: this.#connections, messages: this.#messages, reloads: this.#reloads },
      ...{ actions: this.#actions, excused: this.#excused, growth, problems: this.#problems },
    };
  }

  #elapsed(): number {
    return (performance.now() - this.#from) / 1000;
  }

  #blocks(): number {
    return this.#servers.all.reduce((sum, server) => sum + server.blocks(), 0);
  }

  #note(where: string, problems: readonly string[]): void {
    for (const problem of problems) {
      if (this.#problems.length < mostProblems) this.#problems.push(`${where}: ${problem}`);
    }
  }

  /** All clients act again and again for this time, and finish what they have begun. */
  async #round(seconds: number): Promise<void> {
    const until = performance.now() + seconds * 1000;
    const routes = this.#routes();
    const slots = Array.from({ length: this.#options.clients }, (_, slot) => this.#slot(slot, routes, until));
    await Promise.all([...slots, this.#reload(until)]);
  }

  async #slot(slot: number, routes: ReadonlyMap<string, Route>, until: number): Promise<void> {
    const names = [...routes.keys()];
    while (performance.now() < until) {
      // A number for each connection: with the same seed it does the same, whenever its turn comes.
      const number = this.#connections++;
      const random = new Random(this.#options.seed, `${number}`);
      const place = names[slot % (names.length + 1)];
      if (place === undefined) await this.#chat(`m${number}`, random);
      else await this.#connect(`c${number}`, place, routes.get(place) as Route, random);
      await delay(random.between(0, 100));
    }
  }

  async #connect(name: string, place: string, route: Route, random: Random): Promise<void> {
    const action = chosenFrom(route.actions, random);
    const where = `${place}, ${action.name} (${name})`;
    this.#actions[action.name] = (this.#actions[action.name] ?? 0) + 1;
    const began = performance.now();
    const blocksBefore = this.#blocks();
    let problems: readonly string[];
    try {
      const opened = await route.open(action.resets ?? false);
      const talk = new Conversation(name, opened, random);
      const late = delay(actionMs, [`it did not end within ${actionMs / 1000} s`], { ref: false });
      problems = await Promise.race([action.act(talk, random), late]);
      opened.socket.destroy();
      this.#messages += talk.replies.answered;
      if (route.isRecorded) this.#answered.push({ name, answered: talk.replies.answered });
      this.#note(where, talk.replies.problems);
    } catch (error) {
      problems = [(error as Error).message];
    }
    this.#noteUnlessStopped(where, problems, began, blocksBefore);
  }

  /**
   * A client that was stopped for a second may rightly be cut off, and a server that was ends clients later. But what a client is
   * told is never wrong.
   */
  #noteUnlessStopped(where: string, problems: readonly string[], began: number, blocksBefore: number): void {
    const wasStopped = this.#stalls.since(began) || this.#blocks() > blocksBefore;
    if (problems.length > 0 && wasStopped) this.#excused++;
    else this.#note(where, problems);
  }

  async #chat(name: string, random: Random): Promise<void> {
    this.#actions.chats = (this.#actions.chats ?? 0) + 1;
    const began = performance.now();
    const blocksBefore = this.#blocks();
    const { received, problems, wrong } = await joinChat(name, this.#servers.chat.portOf('tcp'), random);
    this.#messages += received;
    this.#note(`chat (${name})`, wrong);
    this.#noteUnlessStopped(`chat (${name})`, problems, began, blocksBefore);
  }

  async #reload(until: number): Promise<void> {
    const random = new Random(this.#options.seed, `reload ${this.#reloads}`);
    while (performance.now() < until) {
      await delay(random.between(500, 3000));
      this.#servers.reload(++this.#reloads);
    }
  }

  /** Waits until the servers have no clients, and measures. */
  async #measure(): Promise<void> {
    for (const server of this.#servers.all) {
      if (server.ended() !== undefined) {
        this.#note(server.name, [`it has ended: ${server.ended()}`]);
        continue;
      }
      const list = this.#measured.get(server) ?? [];
      const least = (of: (reading: Reading) => number) => Math.min(...list.map(of));
      const isSettled = ({ descriptors, timers }: Reading) =>
        descriptors <= least((one) => one.descriptors) && timers <= least((one) => one.timers);
      let reading = await server.read();
      // Children of exec, and connections that linger, may take a moment to end.
      for (let tries = 0; tries < 20 && list.length > 0 && !isSettled(reading); tries++) {
        await delay(100);
        reading = await server.read();
      }
      list.push({ ...reading, at: this.#elapsed() });
      this.#measured.set(server, list);
    }
  }

  /** A line with the growth of a server. Notes what is not flat. */
  #judge(server: SoakServer): string {
    const list = this.#measured.get(server) ?? [];
    const settled = afterWarmUp(list);
    if (settled.length < 2) return `${server.name}: too few measurements`;
    const growth = (of: (reading: Reading) => number) =>
      growthOf(settled.map((reading) => ({ at: reading.at, value: of(reading) }))).total;
    const memory = growth(({ resident }) => resident) / 2 ** 20;
    const descriptors = growth((reading) => reading.descriptors);
    const timers = growth((reading) => reading.timers);
    const { mostMemory, mostDescriptors, mostTimers } = margins(this.#options.seconds);
    if (memory > mostMemory) this.#note(server.name, [`its memory grew by ${memory.toFixed(1)} MiB`]);
    if (descriptors > mostDescriptors) this.#note(server.name, [`${descriptors.toFixed(1)} more descriptors`]);
    if (timers > mostTimers) this.#note(server.name, [`${timers.toFixed(1)} more timers`]);
    const { resident, ...last } = settled.at(-1) as Measured;
    return (
      `${server.name}: ${settled.length} measurements; memory ${signed(memory)} MiB to ${(resident / 2 ** 20).toFixed(1)} MiB, ` +
      `descriptors ${signed(descriptors)} to ${last.descriptors}, timers ${signed(timers)} to ${last.timers}`
    );
  }

  #routes(): ReadonlyMap<string, Route> {
    const { echo, exec, proxy, socket } = this.#servers;
    const tcp = (server: SoakServer) => () => dial(server.portOf('tcp'));
    const web = () => dial(echo.portOf('ws'), new WebSocketWire(echo.portOf('ws')));
    return new Map<string, Route>([
      ['tcp', { actions: allActions, isRecorded: true, open: tcp(echo) }],
      ['tls', { actions: allActions, isRecorded: true, open: (canReset) => dialTls(echo.portOf('tls'), canReset) }],
      ['ws', { actions: allActions, isRecorded: true, open: web }],
      ['unix', { actions: allActions, isRecorded: true, open: () => dial(socket) }],
      ['exec', { actions: ofPrograms, isRecorded: false, open: tcp(exec) }],
      ['proxy', { actions: withoutLimits, isRecorded: true, open: tcp(proxy) }],
    ]);
  }
}

/**
 * What may grow after the warm-up. Garbage that is not returned to the system yet, and timers of connections that have just ended,
 * weigh more in a short run, which has few measurements. One of each for each connection would be hundreds.
 */
function margins(seconds: number): { mostMemory: number; mostDescriptors: number; mostTimers: number } {
  const isShort = seconds < 600;
  return { mostMemory: isShort ? 64 : 24, mostDescriptors: 3, mostTimers: isShort ? 40 : 10 };
}

function signed(growth: number): string {
  return `${growth < 0 ? '−' : '+'}${Math.abs(growth).toFixed(1)}`;
}
