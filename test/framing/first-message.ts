import type { Framing } from '../../src/framing/framing.ts';
import type { Message } from '../../src/framing/message.ts';

/** The first message of an input. @param input a character for each byte */
export function firstMessage(framing: Framing, input: string): Message {
  const decoder = framing.createDecoder({ maxMessageLength: 65_536, onTooLong: 'close', encoding: 'binary' });
  const [message] = [...decoder.decode(Buffer.from(input, 'latin1')), ...decoder.end()];
  return message as Message;
}
