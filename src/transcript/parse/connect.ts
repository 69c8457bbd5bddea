/** `@connect` and `@starttls`. */
import { dirname } from 'node:path';
import { lines } from '../../framing/delimited/lines.ts';
import type { Protocol } from '../../framing/protocol.ts';
import type { Functions } from '../content/pieces.ts';
import { parseLiteral } from '../content.ts';
import { literalAddress, parseDestination } from '../destination.ts';
import type { ConnectTls, Content, StepOf } from '../transcript.ts';
import { protocolFrom, readFraming, readProtocol } from '../wire.ts';
import type { Clients } from './clients.ts';
import type { DirectiveLine, Word } from './source.ts';

const wireOptions = ['framing', 'reply-framing', 'protocol'] as const;
const fileOptions = ['cacert', 'servername'] as const;
const options: readonly string[] = [...wireOptions, ...fileOptions];

function isOption({ text }: Word): boolean {
  return text === 'insecure' || options.some((name) => text.startsWith(`${name}=`));
}

/** Reads `@connect [CLIENT] [TLS options]` or `@connect NAME ADDRESS [options]`. */
export function readConnect(line: DirectiveLine, clients: Clients, functions: Functions): StepOf<'connect'> {
  const named = line.words[0] && !isOption(line.words[0]) ? line.words[0] : undefined;
  const addressed = named && line.words[1] && !isOption(line.words[1]) ? line.words[1] : undefined;
  const client = named && addressed ? clients.addSecond(line, named) : clients.read(line, named);
  if (clients.isConnected(client)) {
    line.refuse(named?.at ?? 0, `${client || 'the client'} is already connected: its first line connects it`);
  }
  const others = line.words.slice(addressed ? 2 : named ? 1 : 0);
  const tls = readTls(line, others, addressed !== undefined);
  const address = addressed && readAddress(line, addressed, functions);
  const wire = addressed && readWire(line, others);
  return { ...line.source.place, kind: 'connect', client, tls, address, wire };
}

function readAddress(line: DirectiveLine, { text, at }: Word, functions: Functions): Content {
  const address = line.source.parse(at, () => parseLiteral(text, functions));
  const literal = literalAddress(address);
  // Otherwise a misspelt option would be the name of a host.
  if (literal !== undefined && /^[A-Za-z][A-Za-z0-9.-]*$/.test(literal))
    line.refuse(at, `"${text}" is no address with a port, and no option: ${complaint(line.name, true)}`);
  if (literal !== undefined) line.source.attempt(at, () => parseDestination(literal));
  return address;
}

/** Reads `@starttls [CLIENT] [TLS options]`. */
export function readStarttls(line: DirectiveLine, clients: Clients): StepOf<'starttls'> {
  const named = line.words[0] && !isOption(line.words[0]) ? line.words[0] : undefined;
  const client = clients.read(line, named);
  return { ...line.source.place, kind: 'starttls', client, tls: readTls(line, line.words.slice(named ? 1 : 0), false) };
}

/** @param takesWire whether the options may include framings */
function readTls(line: DirectiveLine, words: readonly Word[], takesWire: boolean): ConnectTls {
  const tls: Record<string, string | boolean> = {};
  for (const { text, at } of words) {
    const [, key = '', value = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    const isWire = takesWire && (wireOptions as readonly string[]).includes(key);
    if (text === 'insecure') tls.insecure = true;
    else if ((fileOptions as readonly string[]).includes(key) && value !== '') tls[key] = value;
    else if (!isWire || value === '') line.refuse(at, complaint(line.name, takesWire));
  }
  return tls as ConnectTls;
}

function complaint(name: string, takesWire: boolean): string {
  const tls = 'cacert=FILE, servername=NAME or insecure';
  if (takesWire) return `@connect takes a client name, an address, framing=F, reply-framing=F, protocol=P, ${tls}`;
  return `@${name} takes a client name, and ${tls}`;
}

function readWire(line: DirectiveLine, words: readonly Word[]): Protocol | undefined {
  const folder = dirname(line.source.file);
  const read = <Value>(name: string, parse: (text: string) => Value): Value | undefined => {
    const word = words.find(({ text }) => text.startsWith(`${name}=`));
    return word && line.source.attempt(word.at, () => parse(word.text.slice(name.length + 1)));
  };
  const protocol = read('protocol', (text) => readProtocol(text, folder));
  const framing = read('framing', (text) => readFraming(text, folder));
  const replyFraming = read('reply-framing', (text) => readFraming(text, folder));
  if (protocol && (framing || replyFraming))
    line.refuse(0, 'protocol= says both framings; leave out framing= and reply-framing=');
  if (protocol || !(framing || replyFraming)) return protocol;
  return protocolFrom(framing ?? lines(), replyFraming);
}
