/** What a fault is, as plain data. `parse.ts` reads the text form, `format.ts` writes it. */

/** What passes a fault: messages of the client, messages for the client, or both. */
export type FaultDirection = 'request' | 'reply' | 'both';

/**
 * When a fault applies. Everything that is given must be true; nothing given: always. Messages are counted from 1, for each
 * session and direction, also those that a fault drops.
 */
export interface FaultCondition {
  /** The share of messages, from 0 to 1. */
  readonly probability?: number | undefined;
  /** The share of sessions, from 0 to 1: the fault applies to all messages of these, and to no others. */
  readonly sessions?: number | undefined;
  /** The first message. */
  readonly from?: number | undefined;
  /** The last message. */
  readonly to?: number | undefined;
  /** Every message whose number is a multiple of this. */
  readonly every?: number | undefined;
  /**
   * Messages that match. The payload is tested, or header and payload together. Bytes that are not UTF-8 are read as Latin-1, so
   * that `\x00` to `\xff` match bytes.
   */
  readonly pattern?: RegExp | undefined;
  /** Milliseconds after the session began. */
  readonly afterTime?: number | undefined;
  /** After this number of bytes in this direction, counted in frames. */
  readonly afterBytes?: number | undefined;
}

/** What a fault does. Times are milliseconds, sizes are bytes. */
export type FaultAction =
  /** Delays each message, in order: delays of several messages run at the same time. `jitter` is a random part, up to this much more or less. */
  | { readonly kind: 'latency'; readonly time: number; readonly jitter?: number | undefined }
  /** Passes on at most this number of bytes per second. */
  | { readonly kind: 'bandwidth'; readonly rate: number }
  /** Splits each message into writes of `size` bytes, `variation` more or less, `interval` apart (default 1 ms). */
  | {
      readonly kind: 'chunk';
      readonly size: number;
      readonly variation?: number | undefined;
      readonly interval?: number | undefined;
    }
  /** Flips bits (default 1) of the payload, so that the frame is still one; with `frame`, of the whole frame. */
  | { readonly kind: 'corrupt'; readonly bits?: number | undefined; readonly frame?: boolean | undefined }
  /** Does not pass on the message. */
  | { readonly kind: 'drop' }
  /** Passes on the message again, `copies` times (default 1). */
  | { readonly kind: 'duplicate'; readonly copies?: number | undefined }
  /** Passes on the message after the next `distance` ones (default 1), or after `within` if they do not come (default 100 ms). */
  | { readonly kind: 'reorder'; readonly distance?: number | undefined; readonly within?: number | undefined }
  /** Resets the connection instead of passing on the message. */
  | { readonly kind: 'reset' }
  /** Closes the connection in order, instead of passing on the message. */
  | { readonly kind: 'close' }
  /** From this message on takes everything, and passes on nothing, not even the end. With `time`, closes the connection after it. */
  | { readonly kind: 'blackhole'; readonly time?: number | undefined }
  /** Closes the connection after `bytes` (within a message, if need be), after `messages`, or `time` after the session began. */
  | {
      readonly kind: 'limit';
      readonly bytes?: number | undefined;
      readonly messages?: number | undefined;
      readonly time?: number | undefined;
    }
  /** Delays the end of this direction. */
  | { readonly kind: 'slow-close'; readonly time: number };

/** The names of the actions. */
export type FaultKind = FaultAction['kind'];

/** A fault: in which direction, when, and what happens. */
export interface Fault {
  /** Its name, to change or remove it. Default: action and direction, such as `latency_reply`. */
  readonly name?: string | undefined;
  /** Default: `reply`. */
  readonly direction?: FaultDirection | undefined;
  /** Default: always. */
  readonly when?: FaultCondition | undefined;
  readonly action: FaultAction;
}

/** How an action is written, for errors, help and documents. */
export interface ActionForm {
  /** Its arguments: `TIME[±JITTER]`. */
  readonly form: string;
  /** What it does, as a sentence without its end. */
  readonly about: string;
}

/** All actions, in the order of the documents. */
export const actionForms: Readonly<Record<FaultKind, ActionForm>> = {
  latency: { form: 'TIME[±JITTER]', about: 'delays messages, in order' },
  bandwidth: { form: 'SIZE/s', about: 'passes on at most this many bytes per second' },
  chunk: { form: 'SIZE[±SIZE] [TIME]', about: 'splits messages into writes of this size, TIME apart (1ms)' },
  corrupt: { form: '[BITS] [frame]', about: 'flips a bit, or several, of the payload or of the whole frame' },
  drop: { form: '', about: 'does not pass on the message' },
  duplicate: { form: '[COPIES]', about: 'passes on the message again' },
  reorder: { form: '[DISTANCE] [TIME]', about: 'passes on the message after the next one, or after TIME (100ms)' },
  reset: { form: '', about: 'resets the connection instead of passing on the message' },
  close: { form: '', about: 'closes the connection instead of passing on the message' },
  blackhole: { form: '[TIME]', about: 'takes everything and passes on nothing; closes the connection after TIME' },
  limit: { form: 'SIZE, N messages, or TIME', about: 'closes the connection after that' },
  'slow-close': { form: 'TIME', about: 'delays the end of the connection' },
};

/** The action as it is written: `latency TIME[±JITTER]`. */
export function actionForm(kind: FaultKind): string {
  return `${kind} ${actionForms[kind].form}`.trimEnd();
}

/** Whether a condition is about single messages, and not only about the session, the time and the bytes so far. */
export function isAboutMessages({ probability, from, to, every, pattern }: FaultCondition = {}): boolean {
  return [probability, from, to, every, pattern].some((value) => value !== undefined);
}

/**
 * When a fault acts by itself, without a message, in milliseconds after the session began: resets and closes after a time, black
 * holes, limits of time. Undefined: never.
 */
export function dueOf({ when = {}, action }: Fault): number | undefined {
  if (isAboutMessages(when) || when.afterBytes !== undefined) return undefined;
  switch (action.kind) {
    case 'reset':
    case 'close':
      return when.afterTime;
    case 'blackhole':
      return when.afterTime ?? 0;
    case 'limit':
      return action.time === undefined ? undefined : Math.max(action.time, when.afterTime ?? 0);
    default:
      return undefined;
  }
}

/** Whether a fault needs messages: it does something to single ones, or depends on them. Others work on any bytes. */
export function needsMessages({ when, action }: Fault): boolean {
  if (isAboutMessages(when)) return true;
  switch (action.kind) {
    case 'corrupt':
    case 'drop':
    case 'duplicate':
    case 'reorder':
      return true;
    case 'reset':
    case 'close':
      return when?.afterTime === undefined && when?.afterBytes === undefined;
    case 'limit':
      return action.messages !== undefined;
    default:
      return false;
  }
}
