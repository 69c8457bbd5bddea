/**
 * yodel: messages over TCP. This file is the whole public API.
 *
 * @module
 */
export {
  type Address,
  defaultAddress,
  parseAddress,
  TcpAddress,
  TlsAddress,
  UnixAddress,
  WebSocketAddress,
} from './address.ts';
export type { Client, RequestOptions } from './client/client.ts';
export { connect } from './client/connect.ts';
export type { ClientState, ConnectOptions } from './client/options.ts';
export { type ErrorCode, errorCodes, YodelError } from './errors.ts';
export { type BetweenOptions, between } from './framing/between.ts';
export { cobs } from './framing/cobs.ts';
export { delimiter } from './framing/delimiter.ts';
export type { FrameReader, FramingId, MessageKind } from './framing/frames.ts';
export {
  type Decoder,
  type DecoderOptions,
  type Encoder,
  type Encoding,
  encode,
  type Framing,
  type InPlaceEncoder,
  type TextFrames,
} from './framing/framing.ts';
export { type HeadersOptions, headers } from './framing/headers.ts';
export { type LengthCounts, type LengthFormat, type LengthOptions, length } from './framing/length.ts';
export { type LinesOptions, lines } from './framing/lines.ts';
export { Batch, Message, type MessageParts } from './framing/message.ts';
export { netstring } from './framing/netstring.ts';
export { parseFraming } from './framing/notation.ts';
export { type OctetCountedOptions, octetCounted } from './framing/octet-counted.ts';
export { defineFraming } from './framing/own/define.ts';
export type { FramingDefinition, FramingRule, SizeInFrame } from './framing/own/definition.ts';
export type { Protocol } from './framing/protocol.ts';
export { protocolNamed } from './framing/protocols/protocols.ts';
export { raw } from './framing/raw.ts';
export { type RespOptions, resp } from './framing/resp.ts';
export { invalidFrame } from './framing/scanning.ts';
export { slip } from './framing/slip.ts';
export { until } from './framing/until.ts';
export type { WireOptions } from './framing/wire.ts';
export { chargen } from './handlers/chargen.ts';
export { discard } from './handlers/discard.ts';
export { echo } from './handlers/echo.ts';
export type { ExecOptions } from './handlers/exec/settings.ts';
export { exec } from './handlers/exec.ts';
export type { Faults } from './handlers/faults/options.ts';
export { withFaults } from './handlers/faults.ts';
export { type ProxyObserver, type ProxyOptions, type ProxySide, proxy } from './handlers/proxy.ts';
export { time } from './handlers/time.ts';
export type {
  Direction,
  Durability,
  Entry,
  Journal,
  JournalQuery,
  JournalReader,
  JournalStats,
  RecordedSession,
} from './journal/journal.ts';
export { type JournalOptions, openJournal, openJournalReader } from './journal/sqlite.ts';
export type { ClientLimits, ReconnectLimits, ServerLimits, SessionLimits } from './options.ts';
export type { ReloadOptions, ServeOptions } from './server/options.ts';
export { type Server, serve } from './server/server.ts';
export type { Handler, HandlerObject, MessageHandler, Reply, Session } from './session/handler.ts';
export type { Journaled, SessionJournal } from './session/journaling.ts';
export type { Counters, EndedBy, SessionView, Subscriber } from './telemetry/telemetry.ts';
export * as transcript from './transcript/library.ts';
export type { CertificateAndKey, Security, ServerTls, TlsOptions } from './transport/transport.ts';
