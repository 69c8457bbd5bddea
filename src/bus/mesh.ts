/**
 * The bus of the workers of one server: each has a connection to every other one, over Unix sockets in a private folder.
 *
 * Every worker listens at `FOLDER/NUMBER`. One that starts connects to all others; the replacement of a worker has its number.
 * If two connect to each other at once, the connection stays that the one with the lower number has made. When a connection is
 * lost, both try again until it is back.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { UnixAddress } from '../address.ts';
import { type Clock, realClock, type Timer } from '../clock.ts';
import type {
  Bus,
  BusBatch,
  BusBeat,
  BusReceiver,
  BusState,
  MemberName,
  RoomState,
  SharedMemory,
} from '../rooms/bus.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { Connection, Listener, Transport } from '../transport/transport.ts';
import { restoreMeshFolder } from './folder.ts';
import { Link, type LinkOwner } from './link.ts';
import { batchPacket, type Hello, type Packet } from './packets.ts';

/** Which worker this is. */
export interface MeshOptions {
  /** The folder of the sockets. Nobody else may have access to it. */
  readonly folder: string;
  /** The number of this worker, from 1. */
  readonly worker: number;
  /** The number of workers. */
  readonly workers: number;
  /** Default: the real time. */
  readonly clock?: Clock | undefined;
}

/** How long to wait at the start for workers that exist, but do not respond. */
const startMs = 1000;
/** For this long what is known of a worker that is gone is kept, and the rooms that it followed. */
const keptMs = 60_000;
/** The pause before another attempt to connect. It doubles with each. */
const minRetryMs = 100;
const maxRetryMs = 1000;
/**
 * Senders do not wait for a worker that has read nothing for this long: what is above its limit is lost. Longer than a pause of
 * the garbage collector, and short enough that a worker that hangs does not hold up the others for long.
 */
const stalledMs = 250;

/** How many connections may wait for a hello, besides one for each worker. */
const mostStrangers = 16;
/** More rooms than a worker can have members in. */
const mostRooms = 1_048_576;

/** See the top of the file. */
export class Mesh implements Bus, LinkOwner {
  readonly #options: MeshOptions;
  readonly #clock: Clock;
  readonly #transport: Transport = runtimeTransport;
  #receiver!: BusReceiver;
  #listener: Listener | undefined;
  /** The connections to other workers that have said hello, by their numbers. */
  readonly #links = new Map<number, Link>();
  /** Workers that this one connects to. */
  readonly #dialled = new Map<number, PromiseWithResolvers<void>>();
  readonly #retries = new Map<number, Timer>();
  /** Connections that have not said hello. */
  readonly #strangers = new Set<Link>();
  /** Connections that were lost a moment ago, by worker: it may come back, and learns what it missed. */
  readonly #left = new Map<number, { readonly link: Link; readonly timer: Timer }>();
  readonly #followed = new Set<string>();
  /** Links that are full, for which senders wait; and the time-out for that. */
  readonly #full = new Set<Link>();
  readonly #stalls = new Map<Link, Timer>();
  #isClosed = false;
  readonly #allClosed = Promise.withResolvers<void>();

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
  }

  get state(): BusState {
    return this.#full.size > 0 ? 'full' : 'ready';
  }

  /** @throws YodelError if it cannot listen */
  async start(receiver: BusReceiver): Promise<void> {
    this.#receiver = receiver;
    const { worker, workers } = this.#options;
    restoreMeshFolder(this.#options.folder);
    const address = this.#addressOf(worker);
    // The one before it may have been killed.
    rmSync(address.path, { force: true });
    this.#listener = await this.#transport.listen(address, {
      backlog: workers,
      accept: (connection) => this.#accept(connection),
      failed: () => undefined,
    });
    const dialled: Promise<void>[] = [];
    for (let other = 1; other <= workers; other++) if (other !== worker) dialled.push(this.#dial(other, minRetryMs));
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.after(startMs, late.resolve);
    await Promise.race([Promise.all(dialled), late.promise]);
    timer.cancel();
  }

  follow(room: string): void {
    this.#followed.add(room);
    for (const link of this.#links.values()) link.changed(room);
  }

  unfollow(room: string): void {
    this.#followed.delete(room);
    for (const link of this.#links.values()) link.changed(room);
  }

  isFollowed(room: string): boolean {
    for (const link of this.#links.values()) if (link.followed.has(room)) return true;
    for (const { link } of this.#left.values()) if (link.followed.has(room)) return true;
    return false;
  }

  publish(batch: BusBatch): void {
    let packet: Buffer | undefined;
    for (const link of this.#links.values()) {
      if (!link.followed.has(batch.room)) continue;
      packet ??= batchPacket(batch);
      link.sendBatch(batch.room, packet);
    }
  }

  beat({ last, sizes, names }: BusBeat): void {
    for (const link of this.#links.values()) {
      for (const room of names.keys()) link.named(room);
      for (const room of sizes.keys()) link.news(room);
      for (const room of last.keys()) if (link.followed.has(room)) link.news(room);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of [...this.#retries.values(), ...this.#stalls.values()]) timer.cancel();
    for (const { timer } of this.#left.values()) timer.cancel();
    await this.#listener?.close();
    for (const link of this.#strangers) link.abort();
    for (const link of this.#links.values()) link.end();
    if (this.#links.size === 0) this.#allClosed.resolve();
    const timer = this.#clock.after(startMs, () => this.#abortAll());
    await this.#allClosed.promise;
    timer.cancel();
  }

  // Its links call these.

  get limit(): number {
    return this.#receiver.busBuffer;
  }

  get keeper(): SharedMemory {
    return this.#receiver.keeper;
  }

  memoryChanged(): void {
    let memory = 0;
    for (const link of this.#links.values()) memory += link.memory;
    this.#receiver.waiting(memory);
  }

  follows(room: string): boolean {
    return this.#followed.has(room);
  }

  stateOf(room: string): RoomState {
    return this.#receiver.stateOf(room);
  }

  startOf(room: string): Pick<RoomState, 'last' | 'sentAt'> {
    return this.#receiver.startOf(room);
  }

  namesOf(room: string): readonly MemberName[] {
    return this.#receiver.namesOf(room);
  }

  received(link: Link, packet: Packet): void {
    if (packet.type === 'hello') return this.#greeted(link, packet.hello);
    const { node } = link;
    if (node === undefined) return link.abort();
    switch (packet.type) {
      case 'batch':
        if (this.#followed.has(packet.batch.room) && !this.#receiver.received({ node, ...packet.batch })) link.abort();
        return;
      case 'followed':
        for (const [room, { last, sentAt }] of packet.last)
          if (this.#followed.has(room)) this.#receiver.followed(node, room, last, sentAt);
        return;
      case 'news':
        return this.#learned(node, packet.states);
      case 'names':
        return this.#receiver.beaten({
          node,
          last: new Map(),
          sentAt: new Map(),
          sizes: new Map(),
          names: packet.names,
        });
      case 'follow':
        if (link.followed.size + packet.rooms.length > mostRooms) return link.abort();
        return link.begin(packet.rooms);
      case 'unfollow':
        for (const room of packet.rooms) this.#unfollowed(link, room);
    }
  }

  fullnessChanged(link: Link): void {
    if (link.isFull) return this.#isFull(link);
    this.#stalls.get(link)?.cancel();
    this.#stalls.delete(link);
    this.#noLongerFull(link);
  }

  closed(link: Link): void {
    this.#strangers.delete(link);
    this.#stalls.get(link)?.cancel();
    this.#stalls.delete(link);
    for (const [worker, active] of this.#links) if (active === link) this.#lost(worker, link);
    const { worker } = link;
    this.#noLongerFull(link);
    if (worker === undefined) return;
    this.#dialEnds(worker);
    if (!this.#links.has(worker)) this.#retry(worker, maxRetryMs);
  }

  #addressOf(worker: number): UnixAddress {
    return new UnixAddress(join(this.#options.folder, String(worker)));
  }

  #accept(connection: Connection): void {
    const link = new Link(connection, this);
    const [oldest] = this.#strangers;
    // Workers say hello at once: those that wait are others.
    if (this.#strangers.size >= mostStrangers + this.#options.workers) oldest?.abort();
    this.#strangers.add(link);
    link.start();
  }

  /** Resolves when the worker has said hello, or cannot be reached now. @param retryMs the pause before the next attempt */
  #dial(worker: number, retryMs: number): Promise<void> {
    const known = this.#dialled.get(worker);
    if (known) return known.promise;
    const dial = Promise.withResolvers<void>();
    this.#dialled.set(worker, dial);
    const reached = (connection: Connection) => {
      const link = new Link(connection, this, worker);
      this.#strangers.add(link);
      link.start();
      if (this.#isClosed) return link.abort();
      link.greet(this.#hello);
    };
    this.#transport.connect(this.#addressOf(worker)).then(reached, () => {
      this.#dialEnds(worker);
      this.#retry(worker, retryMs);
    });
    return dial.promise;
  }

  #dialEnds(worker: number): void {
    this.#dialled.get(worker)?.resolve();
    this.#dialled.delete(worker);
  }

  /** Tries again to connect to a worker, until it is back. */
  #retry(worker: number, pauseMs: number): void {
    if (this.#isClosed || this.#retries.has(worker)) return;
    const timer = this.#clock.after(pauseMs, () => {
      this.#retries.delete(worker);
      if (!this.#links.has(worker)) void this.#dial(worker, Math.min(maxRetryMs, pauseMs * 2));
    });
    this.#retries.set(worker, timer);
  }

  get #hello(): Hello {
    return { worker: this.#options.worker, node: this.#receiver.node };
  }

  #greeted(link: Link, { worker, node }: Hello): void {
    const { workers, worker: own } = this.#options;
    // A link says hello once, and is who it was dialled for.
    if (link.node !== undefined || worker === own || worker < 1 || worker > workers) return link.abort();
    if (link.worker !== undefined && link.worker !== worker) return link.abort();
    const known = this.#links.get(worker);
    const isAccepted = link.worker === undefined;
    if (isAccepted) {
      const isKnown = known?.node === node || this.#dialled.has(worker);
      // This one is connecting to it, or has done so.
      if (worker > this.#options.worker && isKnown) return link.abort();
    }
    if (known) this.#lost(worker, known);
    this.#strangers.delete(link);
    link.node = node;
    this.#links.set(worker, link);
    for (const room of this.#followed) {
      link.changed(room);
      link.news(room);
      if (this.namesOf(room).length > 0) link.named(room);
    }
    if (isAccepted) link.greet(this.#hello);
    this.#dialEnds(worker);
  }

  /** Another worker is gone. */
  #lost(worker: number, link: Link): void {
    this.#links.delete(worker);
    link.abort();
    this.#receiver.gone(link.node as string);
    this.#forget(worker);
    if (!this.#isClosed) this.#left.set(worker, { link, timer: this.#clock.after(keptMs, () => this.#forget(worker)) });
    this.memoryChanged();
    if (this.#isClosed && this.#links.size === 0) this.#allClosed.resolve();
    this.#retry(worker, minRetryMs);
  }

  /** The worker has not come back, or as another process. */
  #forget(worker: number): void {
    const left = this.#left.get(worker);
    if (!left) return;
    left.timer.cancel();
    this.#left.delete(worker);
    const { node } = left.link;
    if (node !== undefined && this.#links.get(worker)?.node !== node) this.#receiver.forgotten(node);
    for (const room of left.link.followed) this.#unfollowed(left.link, room);
  }

  #unfollowed(link: Link, room: string): void {
    link.followed.delete(room);
    if (!this.isFollowed(room)) this.#receiver.unfollowed(room);
  }

  #learned(node: string, states: ReadonlyMap<string, RoomState>): void {
    const [last, sentAt, sizes] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
    for (const [room, state] of states) {
      sizes.set(room, state.size);
      if (!this.#followed.has(room)) continue;
      last.set(room, state.last);
      sentAt.set(room, state.sentAt ?? 0);
    }
    this.#receiver.beaten({ node, last, sentAt, sizes, names: new Map() });
  }

  #isFull(link: Link): void {
    this.#full.add(link);
    link.hasProgressed = false;
    const look = () => {
      if (link.hasProgressed) return this.#isFull(link);
      this.#stalls.delete(link);
      this.#noLongerFull(link);
    };
    this.#stalls.set(link, this.#clock.after(stalledMs, look));
  }

  #noLongerFull(link: Link): void {
    if (this.#full.delete(link) && this.#full.size === 0) this.#receiver.drained();
  }

  #abortAll(): void {
    for (const link of this.#links.values()) link.abort();
  }
}
