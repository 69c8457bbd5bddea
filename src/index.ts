/**
 * yodel: messages over TCP. This file is the whole public API.
 *
 * @module
 */
export {
  type Address,
  defaultAddress,
  ExecAddress,
  parseAddress,
  type SocketAddress,
  TcpAddress,
  TlsAddress,
  UnixAddress,
  WebSocketAddress,
} from './address.ts';
export { type OpenBusOptions, openBus } from './bus/open.ts';
export type { ClientChannelMessages } from './client/channels.ts';
export type { Client, ClientCounters, ClientState, NewConnection, SendAllOptions } from './client/client.ts';
export type { ClientOptions, ReconnectOptions } from './client/client-settings.ts';
export { connect } from './client/connect.ts';
export type { ConnectOptions } from './client/options.ts';
export { connectPool } from './client/pool/connect-pool.ts';
export type { Pool, PoolCounters, PoolHealth, PoolOptions } from './client/pool/pool.ts';
export type { ReadyOptions } from './client/readiness.ts';
export type { UnfinishedMessage } from './client/unfinished-message.ts';
export type { Clock, Timer } from './clock.ts';
export type { Codec } from './codec/codec.ts';
export { DecodeError } from './codec/decode-error.ts';
export { type JsonOptions, json, unchecked } from './codec/json.ts';
export type { Reply } from './codec/reply.ts';
export type { StandardSchema } from './codec/standard-schema.ts';
export { type ErrorCode, errorCodes, type OwnErrorCode, YodelError, type YodelErrorOptions } from './errors.ts';
export { escapeProse, escapeText } from './format/escape.ts';
export * from './framing/library.ts';
export { chargen } from './handlers/chargen.ts';
export type { ChatOptions } from './handlers/chat/options.ts';
export { chat } from './handlers/chat.ts';
export type { MessageMiddleware, Middleware, MiddlewareObject, Next } from './handlers/compose/middleware.ts';
export { compose } from './handlers/compose.ts';
export { discard } from './handlers/discard.ts';
export { echo } from './handlers/echo.ts';
export type { ExecOptions } from './handlers/exec/settings.ts';
export { exec } from './handlers/exec.ts';
export type { Fault, FaultAction, FaultCondition, FaultDirection, FaultKind } from './handlers/faults/fault.ts';
export { type ActiveFault, type AppliedFault, Faults, type FaultsOptions } from './handlers/faults/fault-set.ts';
export { formatFault } from './handlers/faults/format.ts';
export { parseFault } from './handlers/faults/parse.ts';
export { faults, withFaults } from './handlers/faults.ts';
export { type ProxyObserver, type ProxyOptions, type ProxySide, proxy } from './handlers/proxy.ts';
export { time } from './handlers/time.ts';
export * from './journal/library.ts';
export { type OpenRoomsOptions, openRooms, type SharedRoom, type SharedRooms } from './members/shared-rooms.ts';
export type { RoomEvent, SubscribeOptions, Subscription } from './members/subscribing.ts';
export type { ClientLimits, PoolLimits, ReconnectLimits, ServerLimits, SessionLimits } from './options.ts';
export type { Correlate, CorrelateById, RequestId } from './requests/correlation.ts';
export type { RequestOptions } from './requests/request-options.ts';
export type { Bus } from './rooms/bus.ts';
export type { HandleUpgradeOptions } from './server/attached.ts';
export type { ChannelMessages, PublishingServer } from './server/channels.ts';
export type { ReloadOptions, ServeOptions } from './server/options.ts';
export { type Server, serve } from './server/server.ts';
export { ForwardedSession } from './session/forwarded-session.ts';
export type { Handler, HandlerCallbacks, HandlerObject, MessageHandler } from './session/handler.ts';
export type {
  HistoryOptions,
  JoinOptions,
  Recovery,
  RoomAction,
  RoomReach,
  StoredMessage,
  StoredMessages,
} from './session/joining.ts';
export type { Room, RoomSendOptions, Session, SessionServer } from './session/public-session.ts';
export type {
  BusCounters,
  BusEvent,
  Counters,
  EndedBy,
  PublishedMessage,
  SessionView,
  Subscriber,
} from './telemetry/telemetry.ts';
export * as transcript from './transcript/library.ts';
export type {
  AlternativeNames,
  AuthorizeUpgrade,
  Certificate,
  CertificateAndKey,
  Handshake,
  NameFields,
  RequestHeaders,
  Security,
  ServerTls,
  TlsHandshake,
  TlsOptions,
  Transport,
  UpgradeAnswer,
  UpgradeClient,
  UpgradeDecision,
  UpgradeRequest,
  WebSocketUpgrade,
} from './transport/transport.ts';
