/**
 * Framings and messages without sockets: `import { lines } from 'yodel/framing'`.
 *
 * @module
 */
export { type HeadersOptions, headers } from './counted/headers.ts';
export { type LengthCounts, type LengthFormat, type LengthOptions, length } from './counted/length.ts';
export { netstring } from './counted/netstring.ts';
export { type OctetCountedOptions, octetCounted } from './counted/octet-counted.ts';
export { type BetweenOptions, between } from './delimited/between.ts';
export { cobs } from './delimited/cobs.ts';
export { delimiter } from './delimited/delimiter.ts';
export { type LinesOptions, lines } from './delimited/lines.ts';
export { slip } from './delimited/slip.ts';
export type { FrameReader } from './frames.ts';
export {
  type Decoder,
  type DecoderOptions,
  type Encoder,
  type Encoding,
  encode,
  type Framing,
  type InPlaceEncoder,
  type TextFrames,
} from './framing.ts';
export { type RespOptions, resp } from './grouped/resp.ts';
export { until } from './grouped/until.ts';
export { Batch, Message, type MessageParts } from './message.ts';
export type { FramingId, MessageKind } from './message-parts.ts';
export { type FramingText, parseFraming } from './notation.ts';
export { defineFraming } from './own/define.ts';
export type { FramingDefinition, FramingRule, SizeInFrame } from './own/definition.ts';
export type { Protocol } from './protocol.ts';
export { type ProtocolName, protocolNamed } from './protocols/protocols.ts';
export { raw } from './raw.ts';
export { invalidFrame } from './scanning.ts';
export type { ProtocolDefinition, WireOptions } from './wire.ts';
