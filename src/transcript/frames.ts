/** The frames of recorded messages. */
import { isUtf8 } from 'node:buffer';
import { encodeLike, type Framing } from '../framing/framing.ts';
import { Message, type MessageParts } from '../framing/message.ts';
import type { Protocol } from '../framing/protocol.ts';
import { applicableEnding } from './ending.ts';
import type { Ending, Side } from './transcript.ts';

/** The longest message a player or a recording accepts, in bytes. */
export const longestMessage = 67_108_864;

/** A message to encode: its payload, and what is beside it. */
export interface RecordedMessage extends MessageParts {
  readonly payload: Uint8Array;
  /** Undefined: as the framing ends its messages. */
  readonly ending?: Ending;
}

/** The frame of a message in this framing. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
export function frameOf(framing: Framing, { payload, header, kind, ending }: RecordedMessage): Uint8Array {
  const own = applicableEnding(framing, ending);
  if (own?.length === 0) return payload;
  return encodeLike(framing, header || kind ? Message.of(payload, { header, kind }) : payload, own);
}

/** Whether a message is of the kind that a line without a mark stands for: text if it is UTF-8, else binary. */
export function isUsualKind({ kind, bytes }: Message): boolean {
  return kind === undefined || (kind === 'text') === isUtf8(bytes);
}

/** The framing of what one side sends. */
export function framingOf({ framing, replyFraming }: Protocol, side: Side): Framing {
  return side === '>' ? framing : replyFraming;
}
