/** Messages for handlers that take batches, and batches for handlers that take messages. */
import type { Reply } from '../../codec/reply.ts';
import { type Batch, isMessage, type Message } from '../../framing/message.ts';
import { reframed, singles } from '../../framing/singles.ts';
import { ownCopy } from '../../framing/slices.ts';
import { isPromise } from '../../session/handler.ts';
import type { Session } from '../../session/public-session.ts';

/** What a callback for messages or batches returns. */
export type Answer = Reply | Promise<Reply>;

/** Takes a batch. */
export type TakeBatch = (batch: Batch, session: Session) => Answer;

/** Takes a message. */
export type TakeMessage = (message: Message, session: Session) => Answer;

/**
 * Takes messages as batches of one.
 *
 * @param take is also given the message that the batch consists of
 */
export function inBatches(take: (single: Batch, session: Session, message: Message) => Answer): TakeMessage {
  return (message, session) => {
    const single = batchOf(message);
    const answer = take(single, session, message);
    if (isPromise(answer)) return answer.then((reply) => withMessage(reply, single, message));
    return withMessage(answer, single, message);
  };
}

/** The batch that consists of this message. @throws TypeError if it is something else */
export function batchOf(message: Message): Batch {
  if (isMessage(message)) return reframed(message, message.frame as Buffer);
  throw new TypeError('next() takes a message; Message.of(text) makes one');
}

/** In a reply, the message stands for its batch: a last line without an ending is sent back as it is only if it is that message. */
function withMessage(reply: Reply, single: Batch, message: Message): Reply {
  if (reply === single) return message;
  return Array.isArray(reply) ? (reply as readonly Reply[]).map((one) => withMessage(one, single, message)) : reply;
}

/** Takes each message of a batch, in order, and returns all replies. */
export function eachInTurn(batch: Batch, session: Session, take: TakeMessage): Answer {
  const messages = [...batch];
  const replies: Reply[] = [];
  for (const [index, message] of messages.entries()) {
    const answer = take(message, session);
    if (isPromise(answer)) return awaitEach(answer, messages.slice(index + 1), session, take, replies);
    replies.push(answer);
  }
  return replies.length === 1 ? replies[0] : replies;
}

async function awaitEach(
  first: Promise<Reply>,
  others: readonly Message[],
  session: Session,
  take: TakeMessage,
  replies: Reply[],
): Promise<Reply> {
  replies.push(await first);
  for (const message of others) replies.push(await take(message, session));
  return replies;
}

/** Takes a message that is the only one of a batch, which may have bytes before it. */
type TakeSingle = (message: Message, session: Session, single: Batch) => Answer;

/**
 * Takes the messages of batches one after another, for handlers that pass on everything, also the bytes between messages. Each
 * is answered in the shape of its message.
 *
 * @param takeOther takes what has no message
 */
export function oneByOne(take: TakeSingle, takeOther: TakeBatch): TakeBatch {
  return (batch, session) => {
    if (batch.count === 0) return takeOther(batch, session);
    const copy = batch.copied();
    if (copy.before) copy.before = ownCopy(copy.before);
    const all = singles(copy, true);
    for (let next = all.next(); !next.done; next = all.next()) {
      const answered = takeSingle(next.value, session, take);
      if (answered) return takeRest(answered, all, session, take);
    }
    return undefined;
  };
}

async function takeRest(
  first: Promise<void>,
  others: Iterable<Batch>,
  session: Session,
  take: TakeSingle,
): Promise<undefined> {
  await first;
  for (const single of others) await takeSingle(single, session, take);
}

function takeSingle(single: Batch, session: Session, take: TakeSingle): Promise<void> | undefined {
  const message = single.first as Message;
  const answer = take(message, session, single);
  return isPromise(answer)
    ? answer.then((reply) => sendEach(reply, session, message))
    : sendEach(answer, session, message);
}

/** Sends a reply. The promise, if any, resolves when the peer has caught up. */
function sendEach(reply: Reply, session: Session, to: Message): Promise<void> | undefined {
  if (reply === undefined || reply === null) return undefined;
  if (!Array.isArray(reply)) {
    const isTaken = session.send(reply as Exclude<Reply, readonly Reply[] | null | undefined | void>, to) !== false;
    return isTaken || session.ended ? undefined : session.drained();
  }
  let waits: Promise<void> | undefined;
  for (const one of reply as readonly Reply[]) waits = sendEach(one, session, to) ?? waits;
  return waits;
}
