/** Passes messages from a connection of one wire to a connection of another, in every way that a program can. */
import { TcpAddress } from '../../../src/address.ts';
import { connect } from '../../../src/client/connect.ts';
import { YodelError } from '../../../src/errors.ts';
import { type DecoderOptions, decodeChunk, encode } from '../../../src/framing/framing.ts';
import { type Batch, isBatch, type Message } from '../../../src/framing/message.ts';
import { openConversation, type Side } from '../../../src/framing/protocol.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import type { HandlerObject } from '../../../src/session/handler.ts';
import type { Session } from '../../../src/session/public-session.ts';
import { FakeClock } from '../../../src/testing/fake-clock.ts';
import { Peer } from '../../../src/testing/peer.ts';
import { settled } from '../../../src/testing/turns.ts';
import { memoryTransport } from '../../../src/transport/memory.ts';
import type { Connection, Transport } from '../../../src/transport/transport.ts';
import type { Wire } from './wires.ts';

/** The ways from a message that a server received to another connection. */
export const ways = ['send', 'send later', 'send a batch', 'reply', 'reply with a batch', 'client.send'] as const;
export type Way = (typeof ways)[number];

/** A payload as text, one character per byte, with its header and kind. */
export interface Content {
  readonly payload: string;
  readonly header: string;
  readonly kind: string | undefined;
}

/** What happened. */
export interface Outcome {
  /** What the other end received, in order, and a fault if its stream was not valid. */
  readonly received: readonly Content[];
  readonly fault: string | undefined;
  /** What `send` returned, for the ways that have a result. */
  readonly results: readonly (boolean | YodelError)[];
  /** The deliveries that failed, as the server counted them. */
  readonly undelivered: readonly YodelError[];
  /** The frames that `session.encode` returned for what was sent with `session.send`, and all bytes that arrived. */
  readonly frames: string;
  readonly bytes: string;
  /** Whether all connections are still open. */
  readonly areOpen: boolean;
}

export const options: DecoderOptions = { maxMessageLength: 65_536, onTooLong: 'close', encoding: 'binary' };

export function contentOf({ bytes, header, kind }: Message): Content {
  const [payload, headerText] = [bytes, header].map((part) => Buffer.from(part).toString('latin1'));
  return { payload: payload as string, header: headerText as string, kind };
}

/** What an independent end of a wire reads. */
export function readAll(
  wire: Wire,
  side: Side,
  bytes: Uint8Array,
  hasEnded = false,
): Pick<Outcome, 'received' | 'fault'> {
  const { decoder } = openConversation(wire.protocol, side, options, wire.own?.[side === 'client' ? 0 : 1]);
  const batches = [...decodeChunk(decoder, Buffer.from(bytes)), ...(hasEnded ? [decoder.end()] : [])];
  const received = batches.flatMap((batch) => Array.from(batch, contentOf));
  return { received, fault: batches.find(({ fault }) => fault)?.fault?.message };
}

/** A network whose connections are those of a wire. */
function networkOf({ own }: Wire, chunkSize?: number): Transport {
  const memory = memoryTransport(chunkSize === undefined ? {} : { chunkSize });
  if (!own) return memory;
  const as = (connection: Connection, framing: (typeof own)[number]) => Object.assign(connection, { framing });
  return {
    connect: async (address, how) => as(await memory.connect(address, how), own[0]),
    listen: (address, how) =>
      memory.listen(address, { ...how, accept: (connection) => how.accept(as(connection, own[1])) }),
  };
}

/** A delivery in preparation. */
export interface Plan {
  readonly from: Wire;
  readonly to: Wire;
  readonly way: Way;
  /** Bytes that a client of `from` sends. */
  readonly input: readonly Uint8Array[];
  /** Whether it then ends its side. */
  readonly ends: boolean;
  /** What the handler reads of a message before it sends it. */
  readonly reads: 'nothing' | 'text' | 'bytes';
  readonly chunkSize: number | undefined;
}

/** Passes the messages on, and then one that can be sent in any case. */
export async function deliver(plan: Plan): Promise<Outcome> {
  await using room = new Room(plan);
  await room.open();
  const peer = await room.connectSource();
  for (const bytes of plan.input) peer.connection.write(bytes);
  if (plan.ends) peer.connection.end();
  await settled();
  await room.finish();
  return room.outcome(peer);
}

/** Receives what arrived on the source's wire. */
type Pass = (message: Message | Batch) => void;

class Room implements AsyncDisposable {
  readonly #plan: Plan;
  readonly #clock = new FakeClock();
  readonly #servers: Server[] = [];
  readonly #results: (boolean | YodelError)[] = [];
  readonly #undelivered: YodelError[] = [];
  readonly #frames: Uint8Array[] = [];
  readonly #kept: (Message | Batch)[] = [];
  #source!: Transport;
  #target!: Peer;
  #pass!: Pass;
  #sendFine!: () => void;
  #isTargetOpen!: () => boolean;
  #release = () => {};

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  async open(): Promise<void> {
    const { from, way, chunkSize } = this.#plan;
    if (way === 'client.send') await this.#openClient();
    else await this.#openServer();
    this.#source = networkOf(from, chunkSize);
    const whole: HandlerObject = {
      // The bytes of a batch are valid until the handler has finished, so it waits until they are sent.
      batch: (batch) => {
        pass(batch);
        return way === 'send a batch' ? undefined : new Promise<void>((resolve) => (this.#release = resolve));
      },
    };
    const pass: Pass = (message) => this.#pass(message);
    const single = (message: Message) => {
      if (this.#plan.reads === 'text') void message.text;
      if (this.#plan.reads === 'bytes') void message.bytes;
      pass(message);
    };
    const handler = way.endsWith('batch') ? whole : single;
    await this.#serve(from, this.#source, handler, 0);
  }

  async #serve(wire: Wire, transport: Transport, handler: HandlerObject | ((message: Message) => unknown), at: number) {
    const telemetry = { undelivered: (_session: unknown, error: YodelError) => void this.#undelivered.push(error) };
    const { protocol } = wire;
    this.#servers[at] = await serve({
      protocol,
      transport,
      handler,
      telemetry,
      clock: this.#clock,
      encoding: 'binary',
    } as never);
  }

  /** The messages go to a client of another server. */
  async #openServer(): Promise<void> {
    const { to, way } = this.#plan;
    const transport = networkOf(to);
    const replies = this.#kept;
    const isReply = way.startsWith('reply');
    await this.#serve(to, transport, isReply ? () => replies.shift() : () => undefined, 1);
    const server = this.#servers[1] as Server;
    this.#target = new Peer(await transport.connect(server.addresses[0] as TcpAddress));
    if (to.opening) this.#target.connection.write(encode(to.protocol.framing, to.opening));
    await settled();
    const [session] = server.sessions as Iterable<Session>;
    const send: Pass = (message) => {
      this.#expect(session as Session, message);
      this.#results.push((session as Session).send(message));
    };
    const keep: Pass = (message) => void replies.push(message);
    this.#pass = isReply || way === 'send later' ? keep : send;
    this.#isTargetOpen = () => !this.#target.closed && !this.#target.ended;
    this.#sendFine = () => {
      send(to.fine[1]);
    };
  }

  /** Notes the frames that a session says it would send. */
  #expect(session: Session, sent: Message | Batch): void {
    for (const message of isBatch(sent) ? sent : [sent]) {
      try {
        this.#frames.push(session.encode(message));
      } catch (error) {
        if (!(error instanceof YodelError)) throw error;
      }
    }
  }

  /** The messages are sent by a client to another server. */
  async #openClient(): Promise<void> {
    const { to } = this.#plan;
    const transport = networkOf(to);
    const listener = await transport.listen(new TcpAddress('127.0.0.1', 0), {
      backlog: 1,
      accept: (connection) => {
        this.#target = new Peer(connection);
      },
      failed: () => {},
    });
    const client = await connect(listener.address, { protocol: to.protocol, transport, clock: this.#clock });
    await settled();
    if (to.opening) client.send(to.opening);
    this.#pass = (message) => void this.#results.push(client.send(message as Message));
    this.#isTargetOpen = () => client.state === 'open';
    this.#sendFine = () => void this.#results.push(client.send(to.fine[0]));
  }

  async connectSource(): Promise<Peer> {
    const peer = new Peer(await this.#source.connect(this.#servers[0]?.addresses[0] as TcpAddress));
    await settled();
    return peer;
  }

  /** Delivers what was kept, and the last message. */
  async finish(): Promise<void> {
    const { to, way } = this.#plan;
    if (way === 'send later') {
      const [session] = (this.#servers[1] as Server).sessions as Iterable<Session>;
      for (const message of this.#kept.splice(0)) this.#results.push((session as Session).send(message));
    }
    const { framing } = to.protocol;
    const request = (to.own?.[0] ?? framing).encoder;
    // Each request fetches a reply. A batch is the last one that its session handles until it was sent.
    for (let trips = 0; this.#kept.length > 0 && trips < 100; trips++) {
      this.#target.connection.write(request.encode(to.fine[0].bytes, request.shapeOf(to.fine[0])));
      await settled();
      this.#release();
      await settled();
    }
    this.#sendFine();
    await settled();
  }

  outcome(source: Peer): Outcome {
    const { to, way, ends } = this.#plan;
    const side = way === 'client.send' ? 'server' : 'client';
    const { received, fault } = readAll(to, side, this.#target.received);
    const isSourceOpen = ends ? !source.error : !source.closed && !source.ended;
    return {
      received: side === 'server' && to.opening ? received.slice(1) : received,
      fault,
      results: this.#results.slice(0, -1),
      undelivered: this.#undelivered,
      frames: Buffer.concat(this.#frames).toString('latin1'),
      bytes: this.#target.received.toString('latin1'),
      areOpen: isSourceOpen && this.#isTargetOpen(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      const closing = server?.close({ timeoutMs: 0 });
      await this.#clock.advance(1);
      await closing;
    }
  }
}
