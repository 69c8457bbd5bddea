/** One child for each message. */
import { realClock } from '../../clock.ts';
import type { Reply } from '../../codec/reply.ts';
import type { YodelError } from '../../errors.ts';
import { formatDuration } from '../../format/figures.ts';
import { Message } from '../../framing/message.ts';
import { Tail } from '../../framing/tail.ts';
import { childDescriptors } from '../../process/child-descriptors.ts';
import { type HandlerObject, takesMessages } from '../../session/handler.ts';
import type { Session } from '../../session/public-session.ts';
import { decodeForwarded } from '../forwarding.ts';
import type { Child } from './child.ts';
import { commandError, type ExecSettings, failureOf, reportStatus, startChild } from './settings.ts';

/** A handler that starts a child for each message, and replies with its output. */
export function execPerMessage(settings: ExecSettings): HandlerObject {
  const sessions = new WeakMap<Session, Children>();
  const childrenOf = (session: Session): Children => {
    const children = sessions.get(session) ?? new Children(session);
    sessions.set(session, children);
    return children;
  };
  return {
    ...takesMessages('exec()'),
    forwarding: 'frames',
    limitsItself: true,
    awaitsClose: true,
    descriptorsPerCall: childDescriptors,
    async message(message, session) {
      const children = childrenOf(session);
      await children.ended();
      if (session.ended) return undefined;
      const output = new Tail(settings.maxOutput);
      const bufferedBytes = () => child.pendingInput + child.pendingOutput + Math.max(output.memory, output.length);
      const report = () => children.buffers(child, bufferedBytes());
      const child = startChild(settings, session, report);
      children.add(child);
      const reply = await replyFrom(message, { child, output, report }, session, settings);
      children.replied(child);
      return reply;
    },
    close: (session) => sessions.get(session)?.drop(),
  };
}

/** The children of one session: as many as `concurrency` allows, and those that are still ending. */
class Children {
  readonly #session: Session;
  /** What each of them buffers, in bytes. */
  readonly #buffered = new Map<Child, number>();
  /** Those that have exited, so that their replies could be sent. Something that they started may still be ending. */
  readonly #replied = new Set<Child>();

  constructor(session: Session) {
    this.#session = session;
  }

  add(child: Child): void {
    this.#buffered.set(child, 0);
  }

  buffers(child: Child, bytes: number): void {
    if (!this.#buffered.has(child)) return;
    this.#buffered.set(child, bytes);
    this.#report();
  }

  replied(child: Child): void {
    this.#buffered.delete(child);
    this.#replied.add(child);
    this.#report();
  }

  /** Resolves when nothing is left of those that have replied. */
  async ended(): Promise<void> {
    for (const child of this.#replied) {
      await child.end();
      this.#replied.delete(child);
    }
  }

  /** Ends all. */
  async drop(): Promise<void> {
    await Promise.all([...this.#buffered.keys(), ...this.#replied].map((child) => child.drop()));
  }

  #report(): void {
    let bytes = 0;
    for (const each of this.#buffered.values()) bytes += each;
    this.#session.reportBuffered(bytes);
  }
}

/** A child, what it has printed, and what says how much of both directions is buffered. */
interface Call {
  readonly child: Child;
  readonly output: Tail;
  readonly report: () => void;
}

async function replyFrom(message: Message, call: Call, session: Session, settings: ExecSettings): Promise<Reply> {
  const { child } = call;
  void child.write(message.bytes);
  child.endInput();
  call.report();
  const { output, failure: ended } = await outputOf(call, settings);
  const end = await child.exited;
  if (session.ended) return undefined;
  const failure = ended ?? failureOf(end);
  if (failure !== undefined) {
    const error = commandError(failure, end);
    settings.tell(detailOf(error), session);
    return errorReply(error.message);
  }
  reportStatus(end, session, settings);
  const { status } = end as { status: number | null };
  if (output.length === 0 && status !== 0) return errorReply(`the command ended with status ${status}`);
  return replyOf(output, session);
}

/** As a message: where the client's framing cannot express it, that is no fault of the handler. */
function errorReply(reason: string): Message {
  return Message.of(Buffer.from(`error: ${reason}`));
}

/** The output of a child, and the reason if it was ended early. */
async function outputOf(
  { child, output, report }: Call,
  { timeoutMs, maxOutput }: ExecSettings,
): Promise<{ readonly output: Buffer; readonly failure: string | undefined }> {
  let failure: string | undefined;
  const fail = (what: string) => {
    failure = what;
    void child.drop();
  };
  await child.started;
  const late = () => fail(`took longer than ${formatDuration(timeoutMs)}`);
  const timer = timeoutMs === 0 ? undefined : realClock.deadline(timeoutMs, late);
  for await (const chunk of child.output()) {
    if (output.length + chunk.length > maxOutput) fail(`printed more than ${maxOutput} bytes`);
    if (failure !== undefined) break;
    output.append(chunk);
    report();
  }
  // A child may close its output and still run.
  await child.exited;
  timer?.cancel();
  // Nothing else uses what was printed by then.
  if (failure !== undefined) output.drop();
  return { output: output.take(), failure };
}

/**
 * With the framing `lines`, each printed line is a reply; otherwise all bytes are one message. What a program prints is no
 * fault of the handler: as messages, replies that the client's framing cannot express are answered by an error reply.
 */
function replyOf(output: Buffer, session: Session): Reply {
  const { replyFraming } = session.protocol;
  if (replyFraming.name !== 'lines') return Message.of(output);
  if (session.replyFraming !== replyFraming) return Message.of(withoutNewline(output));
  if (output.length === 0) return '';
  const decoder = replyFraming.createDecoder(decodeForwarded(Math.max(1, output.length)));
  const batches = [decoder.decode(output), decoder.end()];
  return batches.flatMap((batch) => Array.from(batch, ({ bytes }) => bytes));
}

function withoutNewline(output: Buffer): Buffer {
  if (output.at(-1) !== 0x0a) return output;
  return output.subarray(0, output.length - (output.at(-2) === 0x0d ? 2 : 1));
}

function detailOf({ message, cause }: YodelError): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
