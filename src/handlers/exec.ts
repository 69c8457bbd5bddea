/**
 * Hands messages to a program, and sends back what it prints.
 *
 * One child for each connection: its stdin gets the peer's frames as they came, what it prints is cut into messages by the
 * same framing. Or one for each message: its stdin gets the message and ends, all that it prints is the reply.
 *
 * What a peer sends reaches a child by stdin alone, never as an argument, nor in its environment.
 */
import { formatPeer } from '../address.ts';
import { YodelError } from '../errors.ts';
import { formatDuration } from '../format/figures.ts';
import { type Decoder, decodeChunk } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { HandlerObject, Reply, Session } from '../session/handler.ts';
import { Child, type ChildEnd } from './child.ts';
import { commandWords } from './command-words.ts';
import { framesOf, passedOn, sendOn } from './frames.ts';
import { defaultGraceMs } from './process-group.ts';

/** What {@link exec} takes. Times are milliseconds, sizes are bytes. */
export interface ExecOptions {
  /** A child for each message, in place of one for each connection. Default: no. */
  readonly perMessage?: boolean | undefined;
  /** Gives the command to `/bin/sh -c`. Default: no; it is cut into words, and nothing in it is expanded. */
  readonly shell?: boolean | undefined;
  /**
   * How long a child may take for one message. A child of a connection: how long it may not take what waits for it, or,
   * when its input has ended, print nothing. Then it is ended. Default 30 s; 0: for ever.
   */
  readonly timeout?: number | undefined;
  /** The most that a child may print for one message; of a child of a connection, the longest message. Default 1 MiB. */
  readonly maxOutput?: number | undefined;
  /** How long a child that is told to end (SIGTERM) may take, before it is killed with all it has started. Default 2 s. */
  readonly killGrace?: number | undefined;
  /** Variables of the environment besides those that {@link exec} gives. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Is told what children print on stderr, line by line, as they printed it; and how they failed. Default: nobody. */
  readonly tell?: ((line: string, session: Session) => void) | undefined;
}

/** All of it, known. */
interface Settings {
  readonly words: readonly [string, ...string[]];
  readonly timeoutMs: number;
  readonly maxOutput: number;
  readonly graceMs: number;
  readonly env: Readonly<Record<string, string>>;
  readonly tell: (line: string, session: Session) => void;
}

/**
 * A handler that runs a command. Its environment has `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG`, `LC_ALL`, `TZ` and
 * `TMPDIR` as they are here, `YODEL_PEER` (`127.0.0.1:51234`), `YODEL_LOCAL` and `YODEL_SESSION` (its number), and
 * `options.env`; nothing else.
 *
 * @param command a command line, or its words
 * @throws YodelError `YODEL_INVALID_OPTION` when there is no command in it
 */
export function exec(command: string | readonly string[], options: ExecOptions = {}): HandlerObject {
  const settings: Settings = {
    words: wordsOf(command, options.shell === true),
    timeoutMs: options.timeout ?? 30_000,
    maxOutput: options.maxOutput ?? 1_048_576,
    graceMs: options.killGrace ?? defaultGraceMs,
    env: options.env ?? {},
    tell: options.tell ?? (() => undefined),
  };
  return options.perMessage ? perMessage(settings) : perConnection(settings);
}

function wordsOf(command: string | readonly string[], shell: boolean): readonly [string, ...string[]] {
  const text = typeof command === 'string' ? command : undefined;
  if (shell) {
    if (text !== undefined && text.trim() !== '') return ['/bin/sh', '-c', text];
    throw new YodelError('YODEL_INVALID_OPTION', 'there is no command for the shell; give it as one text');
  }
  if (text !== undefined) return commandWords(text);
  const [file, ...args] = command as readonly string[];
  if (file === undefined || file === '') throw new YodelError('YODEL_INVALID_OPTION', 'there is no command');
  return [file, ...args];
}

function perConnection(settings: Settings): HandlerObject {
  const conversations = new WeakMap<Session, Conversation>();
  return {
    open: (session) => void conversations.set(session, new Conversation(session, settings)),
    batch: (batch, session) => conversations.get(session)?.pass(batch),
    end: (session) => conversations.get(session)?.endInput(),
    close: (session) => conversations.get(session)?.drop(),
  };
}

/** A session and its child. */
class Conversation {
  readonly #session: Session;
  readonly #settings: Settings;
  readonly #child: Child;
  readonly #decoder: Decoder;
  readonly #done = Promise.withResolvers<void>();
  #inputEnded = false;
  #peerIsBehind = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  /** Why the child was ended. */
  #failure: string | undefined;

  constructor(session: Session, settings: Settings) {
    this.#session = session;
    this.#settings = settings;
    this.#decoder = session.framing.createDecoder(passedOn(settings.maxOutput));
    this.#child = startChild(settings, session);
    void this.#converse();
  }

  /** The promise, if there is one, is for when the child has read enough to be given more. */
  pass(batch: Batch): Promise<void> | undefined {
    const more = this.#child.write(framesOf(batch, this.#session));
    this.#watch();
    return more?.then(() => this.#progress());
  }

  /** Resolves when all that the child has printed is sent, and it has ended. */
  endInput(): Promise<void> {
    this.#child.endInput();
    this.#inputEnded = true;
    this.#watch();
    return this.#done.promise;
  }

  drop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#child.drop();
    this.#done.resolve();
  }

  async #converse(): Promise<void> {
    for await (const chunk of this.#child.output()) {
      this.#progress();
      await this.#sendOn(chunk);
      if (this.#isOver || this.#failure !== undefined) break;
    }
    if (this.#failure === undefined) this.#sendRest();
    const end = await this.#child.exited;
    if (!this.#isOver) this.#tellEnd(end);
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#done.resolve();
  }

  async #sendOn(chunk: Buffer): Promise<void> {
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      if (batch.count > 0 && !sendOn(batch, this.#session)) {
        this.#peerIsBehind = true;
        this.#progress();
        await this.#session.drained();
        this.#peerIsBehind = false;
        this.#progress();
      }
      if (batch.fault) return this.#fail(`printed a message of more than ${this.#settings.maxOutput} bytes`);
    }
  }

  #sendRest(): void {
    const last = this.#decoder.end();
    if (last.count > 0) sendOn(last, this.#session);
    if (last.fault) this.#fail('ended in the middle of a message');
  }

  #tellEnd(end: ChildEnd): void {
    const why = this.#failure ?? failureOf(end);
    if (why !== undefined) return this.#session.close(commandFailed(why, end));
    tellStatus(end, this.#session, this.#settings);
    this.#session.close();
  }

  #fail(why: string): void {
    this.#failure ??= why;
    this.#child.drop();
  }

  /** The child has done something: its time begins anew. */
  #progress(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watch();
  }

  /** Its time runs when there is something for it to do, and nothing is in its way. */
  #watch(): void {
    const { timeoutMs } = this.#settings;
    const hasToDo = this.#inputEnded || this.#child.hasInput;
    if (this.#timer || timeoutMs === 0 || !hasToDo || this.#peerIsBehind || this.#isOver) return;
    this.#timer = setTimeout(() => this.#fail(`did nothing for ${formatDuration(timeoutMs)}`), timeoutMs);
  }
}

function perMessage(settings: Settings): HandlerObject {
  const running = new WeakMap<Session, Child>();
  return {
    async message(message, session) {
      const child = startChild(settings, session);
      running.set(session, child);
      return await answer(child, message, session, settings);
    },
    close: (session) => running.get(session)?.drop(),
  };
}

async function answer(child: Child, message: Message, session: Session, settings: Settings): Promise<Reply> {
  const { timeoutMs, maxOutput } = settings;
  let failure: string | undefined;
  const fail = (why: string) => {
    failure = why;
    child.drop();
  };
  const late = () => fail(`took longer than ${formatDuration(timeoutMs)}`);
  const timer = timeoutMs === 0 ? undefined : setTimeout(late, timeoutMs);
  void child.write(message.bytes);
  child.endInput();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of child.output()) {
    size += chunk.length;
    if (size > maxOutput) fail(`printed more than ${maxOutput} bytes`);
    if (failure !== undefined) break;
    chunks.push(chunk);
  }
  const end = await child.exited;
  clearTimeout(timer);
  if (session.ended) return undefined;
  const why = failure ?? failureOf(end);
  if (why !== undefined) {
    const error = commandFailed(why, end);
    settings.tell(detailOf(error), session);
    return `error: ${error.message}`;
  }
  tellStatus(end, session, settings);
  const { status } = end as { status: number | null };
  if (size === 0 && status !== 0) return `error: the command ended with status ${status}`;
  return replyOf(Buffer.concat(chunks, size), session);
}

/** With `lines`, the lines that were printed, of which each is a reply; else one message of all the bytes. */
function replyOf(output: Buffer, session: Session): Reply {
  if (session.framing.name !== 'lines') return output;
  if (session.carriesMessages) return withoutNewline(output);
  if (output.length === 0) return '';
  const decoder = session.framing.createDecoder(passedOn(Math.max(1, output.length)));
  const batches = [decoder.decode(output), decoder.end()];
  return batches.flatMap((batch) => Array.from(batch, ({ bytes }) => bytes));
}

function withoutNewline(output: Buffer): Buffer {
  if (output.at(-1) !== 0x0a) return output;
  return output.subarray(0, output.length - (output.at(-2) === 0x0d ? 2 : 1));
}

function startChild({ words, graceMs, env, tell }: Settings, session: Session): Child {
  return new Child({ words, graceMs, env: environmentFor(session, env), stderr: (line) => tell(line, session) });
}

/** What programs need to find one another and to write as their user reads. Secrets of the server's are not among it. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

function environmentFor(session: Session, more: Readonly<Record<string, string>>): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return {
    ...environment,
    YODEL_PEER: formatPeer(session.peer),
    YODEL_LOCAL: String(session.local),
    YODEL_SESSION: String(session.id),
    ...more,
  };
}

/** What is wrong with an end that the child has not chosen. */
function failureOf(end: ChildEnd): string | undefined {
  if ('error' in end) return 'cannot be started';
  return end.signal === null ? undefined : `was ended by ${end.signal}`;
}

/** A status is the program's own affair: `grep` has one for "not found". The operator may want to know. */
function tellStatus(end: ChildEnd, session: Session, { tell }: Settings): void {
  if ('status' in end && end.status !== 0) tell(`the command ended with status ${end.status}`, session);
}

function commandFailed(why: string, end: ChildEnd): YodelError {
  const options = 'error' in end ? { cause: end.error } : {};
  return new YodelError('YODEL_COMMAND_FAILED', `the command ${why}`, options);
}

function detailOf({ message, cause }: YodelError): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
