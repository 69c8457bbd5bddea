// A key-value store. Run it with `node examples/applications/key-value.ts`, and talk to it with `nc localhost 7878`:
//   SET KEY VALUE -> OK    GET KEY -> VALUE ... or NONE    DEL KEY -> OK or NONE    KEYS -> KEYS one two ...    mistakes -> ERR ...
// Clients may send any number of commands before they read a reply. PORT and MAX_BYTES are environment variables.
import { serve } from 'yodel';

const maxKeyLength = 250;
const maxValueLength = 64 * 1024;
const maxBytes = Number(process.env.MAX_BYTES ?? 256 * 1024 * 1024); // of all keys and values

const store = new Map<string, string>();
let bytes = 0;

function sizeOf(key: string, value: string | undefined): number {
  return value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value);
}

function execute(line: string): string {
  if (line === 'KEYS') return ['KEYS', ...store.keys()].join(' ');
  const [, name, key, value] = /^(GET|SET|DEL) (\S+)(?: (.*))?$/s.exec(line) ?? [];
  if (key === undefined) return 'ERR the commands are GET key, SET key value, DEL key and KEYS';
  if (Buffer.byteLength(key) > maxKeyLength) return `ERR a key has at most ${maxKeyLength} bytes`;
  if ((name === 'SET') !== (value !== undefined)) return `ERR ${name} has the wrong number of words`;
  if (value !== undefined && Buffer.byteLength(value) > maxValueLength) {
    return `ERR a value has at most ${maxValueLength} bytes`;
  }
  const stored = store.get(key);
  if (name === 'GET') return stored === undefined ? 'NONE' : `VALUE ${stored}`;
  const change = sizeOf(key, value) - sizeOf(key, stored);
  if (bytes + change > maxBytes) return 'ERR the store is full';
  bytes += change;
  if (value === undefined) return store.delete(key) ? 'OK' : 'NONE';
  store.set(key, value);
  return 'OK';
}

const server = await serve({
  listen: Number(process.env.PORT ?? 7878),
  maxMessageLength: 'SET '.length + maxKeyLength + 1 + maxValueLength,
  onTooLong: 'discard', // with an ERR reply; the client stays
  errorReply: (text) => `ERR ${text}`,
  handler: (message) => execute(message.copy().text), // a copy, because keys and values are stored
});
console.log(`listening on ${server.addresses[0]}`);

process.once('SIGTERM', () => void server.close());
