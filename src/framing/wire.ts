/** The framings and encoding of a server's or client's connections. */
import { YodelError } from '../errors.ts';
import { checkOption, refuseUnknown } from '../option-values.ts';
import { lines } from './delimited/lines.ts';
import type { Encoding, Framing } from './framing.ts';
import { type FramingText, parseFraming } from './notation.ts';
import type { Protocol } from './protocol.ts';
import { type ProtocolName, protocolNamed } from './protocols/protocols.ts';

/** A protocol as a program writes it. What is left out has the defaults of the options of the same names. */
export interface ProtocolDefinition extends Omit<Protocol, 'framing' | 'replyFraming' | 'encoding'> {
  /** From the client to the server: a framing, or its text form. */
  readonly framing: Framing | FramingText;
  /** From the server to the client. Default: the same as `framing`. */
  readonly replyFraming?: Framing | FramingText | undefined;
  /** Default: what the framings say. */
  readonly encoding?: Encoding | undefined;
}

/** Options of the framings and encoding. */
export interface WireOptions {
  /** The rule between messages and frames: `lines()`, or its text form; for text from elsewhere: `parseFraming(text)`. Default `lines`. */
  readonly framing?: Framing | FramingText | undefined;
  /** The framing of what the server sends. Default: the same as `framing`. */
  readonly replyFraming?: Framing | FramingText | undefined;
  /** Both framings, and what else both ends must know: a name such as `smtp` (for text from elsewhere: `protocolNamed(text)`), or a protocol of your own. Not together with the framings. */
  readonly protocol?: ProtocolDefinition | ProtocolName | undefined;
  /** Whether messages are checked to be UTF-8. Default: what the framings say (`lines` and other text framings check). */
  readonly encoding?: Encoding | undefined;
}

/** The same with texts that the compiler does not know, such as those of flags and files. */
export interface WireTexts {
  readonly framing?: Framing | string | undefined;
  readonly replyFraming?: Framing | string | undefined;
  readonly protocol?: ProtocolTexts | string | undefined;
  readonly encoding?: Encoding | undefined;
}

type ProtocolTexts = Omit<ProtocolDefinition, 'framing' | 'replyFraming'> & {
  readonly framing: Framing | string;
  readonly replyFraming?: Framing | string | undefined;
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveWire(options: WireTexts): Protocol {
  const { encoding } = options;
  if (encoding !== undefined) checkOption('encoding', { kind: 'choice', choices: ['utf8', 'binary'] }, encoding);
  const protocol = options.protocol === undefined ? protocolOf(options) : namedProtocol(options);
  // Create decoders now, so that an incompatible encoding fails here and not with the first peer.
  const state = protocol.createState?.();
  const decoderOptions = { maxMessageLength: 1, onTooLong: 'close', encoding: protocol.encoding } as const;
  protocol.framing.createDecoder(decoderOptions, state);
  protocol.replyFraming.createDecoder(decoderOptions, state);
  return protocol;
}

function protocolOf(
  { framing = lines(), replyFraming = framing, encoding }: Omit<WireTexts, 'protocol'>,
  where = '',
): Protocol {
  const requests = framingOf(`${where}framing`, framing);
  const replies = replyFraming === framing ? requests : framingOf(`${where}replyFraming`, replyFraming);
  return { framing: requests, replyFraming: replies, encoding: encoding ?? commonEncoding(requests, replies) };
}

/** Text is checked only where both directions are text. */
function commonEncoding(framing: Framing, replyFraming: Framing): Encoding {
  return framing.defaultEncoding === 'utf8' && replyFraming.defaultEncoding === 'utf8' ? 'utf8' : 'binary';
}

function framingOf(option: string, framing: Framing | string): Framing {
  const parsed = typeof framing === 'string' ? parseFraming(framing) : framing;
  if (typeof parsed?.createDecoder === 'function') return parsed;
  const expected = 'a framing such as lines(), its text form such as "lines", or what defineFraming() returns';
  throw new YodelError('YODEL_INVALID_OPTION', `the option "${option}" takes ${expected}`);
}

function namedProtocol({ protocol, framing, replyFraming, encoding }: WireTexts): Protocol {
  if (framing !== undefined || replyFraming !== undefined) {
    const text = 'the option "protocol" already says the framings; leave out "framing" and "replyFraming"';
    throw new YodelError('YODEL_INVALID_OPTION', text);
  }
  const found = typeof protocol === 'string' ? protocolNamed(protocol) : ownProtocol(protocol);
  return encoding === undefined ? found : { ...found, encoding };
}

/** Of what programs write, everything is checked: a misspelt member would have no effect. */
function ownProtocol(definition: ProtocolTexts | undefined): Protocol {
  if (typeof definition !== 'object' || definition === null || definition.framing === undefined) {
    const text = 'the option "protocol" takes a name such as "smtp", or an object with "framing" and "replyFraming"';
    throw new YodelError('YODEL_INVALID_OPTION', text);
  }
  refuseUnknown(definition, protocolMembers, 'the option "protocol"');
  const { greeting, errorPattern, errorSubject, createState } = definition;
  if (greeting !== undefined) checkOption('protocol.greeting', { kind: 'count', off: 'none' }, greeting);
  if (errorPattern !== undefined && !(errorPattern instanceof RegExp)) refuse('errorPattern', 'a regular expression');
  const subjects: readonly unknown[] = [undefined, 'payload', 'message'];
  if (!subjects.includes(errorSubject)) refuse('errorSubject', '"payload" or "message"');
  if (createState !== undefined && typeof createState !== 'function') refuse('createState', 'a function');
  return { ...definition, ...protocolOf(definition, 'protocol.') };
}

/** `about` is the description of the protocols that yodel knows, whose objects programs may pass on. */
const protocolMembers: readonly string[] = [
  ...[
    'name',
    'framing',
    'replyFraming',
    'encoding',
    'createState',
    'greeting',
    'errorPattern',
    'errorSubject',
    'atOnce',
    'about',
  ],
];

function refuse(member: string, expected: string): never {
  throw new YodelError('YODEL_INVALID_OPTION', `the option "protocol.${member}" takes ${expected}`);
}

/** Names the framings of a protocol in a sentence: `protocol smtp`, `framing lines`, `framing lines, replies length:4`. */
export function wireText({ name, framing, replyFraming }: Protocol): string {
  if (name !== undefined) return `protocol ${name}`;
  const replies = replyFraming.id === framing.id ? '' : `, replies ${replyFraming.name}`;
  return `framing ${framing.name}${replies}`;
}
