/** The directives that say once what holds for the whole transcript: its address and framings. */
import { dirname } from 'node:path';
import { parseAddress } from '../../address.ts';
import { lines } from '../../framing/delimited/lines.ts';
import type { Framing } from '../../framing/framing.ts';
import type { Protocol } from '../../framing/protocol.ts';
import { protocolFrom, readFraming, readProtocol } from '../wire.ts';
import type { DirectiveLine } from './source.ts';

/** Directives that {@link Head} reads. */
export const headDirectives = ['address', 'framing', 'reply-framing', 'protocol'] as const;
type HeadDirective = (typeof headDirectives)[number];

/** What the directives at the top say. */
export class Head {
  /** Framings to use instead of those that the file names. */
  readonly #given: Protocol | undefined;
  #address: string | undefined;
  #framing: Framing | undefined;
  #replyFraming: Framing | undefined;
  #protocol: Protocol | undefined;

  constructor(given: Protocol | undefined) {
    this.#given = given;
  }

  get address(): string | undefined {
    return this.#address;
  }

  /** The framings of both directions. */
  get wire(): {
    readonly framing: Framing | undefined;
    readonly replyFraming: Framing | undefined;
    readonly protocol: Protocol;
  } {
    const named = this.#given ?? this.#protocol;
    const framing = named?.framing ?? this.#framing;
    const replyFraming = named?.replyFraming ?? this.#replyFraming;
    return { framing, replyFraming, protocol: named ?? protocolFrom(framing ?? lines(), replyFraming) };
  }

  /** @param hasMessages whether a message precedes the line */
  read(name: HeadDirective, line: DirectiveLine, hasMessages: boolean): void {
    const folder = dirname(line.source.file);
    switch (name) {
      case 'address':
        this.#refuseSecond(this.#address, line);
        this.#address = line.argument('an address such as 127.0.0.1:7878', (text) => String(parseAddress(text)));
        return;
      case 'framing':
        this.#framing = this.#readWire(this.#framing, line, hasMessages, 'a framing such as lines', (text) =>
          readFraming(text, folder),
        );
        return;
      case 'reply-framing':
        this.#replyFraming = this.#readWire(this.#replyFraming, line, hasMessages, 'a framing such as lines', (text) =>
          readFraming(text, folder),
        );
        return;
      case 'protocol':
        this.#protocol = this.#readWire(this.#protocol, line, hasMessages, 'a protocol such as smtp', (text) =>
          readProtocol(text, folder),
        );
        return;
    }
  }

  /** Reads framings, unless others are given instead. */
  #readWire<Value>(
    known: Value | undefined,
    line: DirectiveLine,
    hasMessages: boolean,
    expected: string,
    read: (text: string) => Value,
  ): Value | undefined {
    this.#refuseSecond(known, line);
    if (hasMessages) line.refuse(0, `@${line.name} must come before the first message`);
    if (line.name === 'protocol' ? (this.#framing ?? this.#replyFraming) : this.#protocol)
      line.refuse(0, '@protocol says both framings; leave out @framing and @reply-framing');
    return this.#given && line.words[0] ? undefined : line.argument(expected, read);
  }

  #refuseSecond(value: unknown, line: DirectiveLine): void {
    if (value !== undefined) line.refuse(0, `@${line.name} is given twice`);
  }
}
