/** When a proxy passes on bytes as they arrive, and which limits it has. */
import { parseAddress } from '../../../address.ts';
import { needsMessages } from '../../../handlers/faults/fault.ts';
import type { ServerLimits, SessionLimits } from '../../../options.ts';
import { hasWireFlags } from '../../wire-flags.ts';
import type { ServeSettings } from '../settings.ts';
import { faultsIn } from './fault-flags.ts';

/** Whether the handler is `proxy:`. */
export function isProxy({ handler }: ServeSettings): boolean {
  return handler.startsWith('proxy:');
}

/**
 * Whether bytes pass a proxy as they arrive, because no flag says what a message is: not even the end of a line is waited for.
 * Faults about messages need complete ones, and WebSocket has its own.
 */
export function passesBytes(settings: ServeSettings): boolean {
  const { flags } = settings;
  if (!isProxy(settings) || hasWireFlags(flags) || flags.encoding === 'utf8') return false;
  if (aboutMessages.some((name) => flags[name] !== undefined)) return false;
  return !speaksWebSocket(settings) && !faultsIn(flags).some(needsMessages);
}

/** Whether messages of a proxy are lines only because its faults are about messages, and no flag says what a message is. */
export function assumesLines(settings: ServeSettings): boolean {
  const { flags } = settings;
  const isOpen = isProxy(settings) && !hasWireFlags(flags) && !speaksWebSocket(settings);
  return isOpen && !aboutMessages.some((name) => flags[name] !== undefined) && faultsIn(flags).some(needsMessages);
}

function speaksWebSocket({ handler, flags }: ServeSettings): boolean {
  const addresses = [handler.slice('proxy:'.length), ...((flags.listen as readonly string[] | undefined) ?? [])];
  return addresses.some(isWebSocket);
}

/** Flags that say what a message is, or what it may be. */
const aboutMessages = [
  ...['upstreamFraming', 'upstreamReplyFraming', 'upstreamProtocol'],
  ...['maxMessage', 'onTooLong', 'messageTimeout'],
];

function isWebSocket(address: string): boolean {
  return /^wss?$/.test(parseAddress(address).scheme);
}

/**
 * The limits of a proxy, where no flag says others: none of its own, as far as memory allows. The server behind it decides how
 * long a client may be silent or slow.
 */
export const proxyLimits: Partial<ServerLimits & SessionLimits> = {
  idleTimeout: 0,
  messageTimeout: 0,
  drainTimeout: 0,
  maxMessageLength: 16_777_216,
};
