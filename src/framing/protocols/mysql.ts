/**
 * The protocol of MySQL and MariaDB (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html).
 *
 * ```
 * 05 00 00 | 03 | 'hello'                 length, sequence number (the header), payload
 * ```
 *
 * After a client's request for TLS, and after the login where both ends have agreed on compression, the packets cannot be seen
 * any more: their bytes are passed on as they arrive.
 */
import { length } from '../counted/length.ts';
import type { Framing } from '../framing.ts';
import type { FramingId } from '../message-parts.ts';
import type { Protocol } from '../protocol.ts';
import type { FrameScanner, ScanningDecoder } from '../scanning.ts';
import { EncryptableScanner, type Encryption, encryptableEncoder, type Readable } from './encrypted.ts';
import { binaryFraming, idOf } from './fixed.ts';

interface State extends Encryption {
  /** The client has sent its first packet, the login. */
  hasBegun: boolean;
  /** The client has asked for compression, and its login has not been answered. */
  asksForCompression: boolean;
}

const packets = length({ bytes: 3, endian: 'little', after: 1 });
const headerSize = 4;
/** A request for TLS is the beginning of a login, up to here. */
const tlsRequestSize = 32;

/** Capability flags, in the first two bytes of a login, and the high byte of the second two. */
const compressFlag = 0x20;
const tlsFlag = 0x800;
const zstdFlag = 0x04;

const ok = 0x00;

function packetScanner(framing: FramingId): FrameScanner {
  const decoder = packets.createDecoder({ maxMessageLength: 1, onTooLong: 'close', encoding: 'binary' });
  const { scanner } = decoder as ScanningDecoder;
  return { ...scanner, reader: { ...scanner.reader, framing } };
}

function requests(state: State, scanner: FrameScanner): Readable {
  return {
    scanner,
    endsWith(bytes, start, end) {
      const payload = start + headerSize;
      if (state.hasBegun || end - payload < tlsRequestSize) return false;
      state.hasBegun = true;
      const flags = bytes.readUInt16LE(payload);
      state.asksForCompression = (flags & compressFlag) !== 0 || ((bytes[payload + 3] as number) & zstdFlag) !== 0;
      return end - payload === tlsRequestSize && (flags & tlsFlag) !== 0;
    },
  };
}

function replies(state: State, scanner: FrameScanner): Readable {
  return {
    scanner,
    endsWith: (bytes, start, end) =>
      state.asksForCompression && end > start + headerSize && bytes[start + headerSize] === ok,
  };
}

function directionOf(id: FramingId, readableOf: (state: State, scanner: FrameScanner) => Readable): Framing {
  const scanner = packetScanner(id);
  return {
    ...binaryFraming(
      id,
      (state: State = createState(), limit) => new EncryptableScanner(readableOf(state, scanner), id, state, limit),
      packets.encoder,
    ),
    createEncoder: (state) => encryptableEncoder(packets.encoder, state as State),
  };
}

function createState(): State {
  return { isEncrypted: false, hasBegun: false, asksForCompression: false };
}

/** See the top of this file. */
export const mysql: Protocol = {
  name: 'mysql',
  framing: directionOf(idOf('mysql', 'requests'), requests),
  replyFraming: directionOf(idOf('mysql', 'replies'), replies),
  encoding: 'binary',
  createState,
  greeting: 1,
  errorPattern: /^\xff/,
};
