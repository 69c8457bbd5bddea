import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

// Debian has no small client for the text protocol, so this one is written by the protocol's description.
const client = `
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); f = s.makefile('rwb')
def ask(data, until):
    f.write(data); f.flush()
    lines = []
    while not lines or lines[-1] not in until: lines.append(f.readline())
    print(b''.join(lines).decode(), end='')
ask(b'set k 0 0 13\\r\\nEND\\r\\nSTORED\\r\\n\\r\\n', [b'STORED\\r\\n'])
f.write(b'get k\\r\\n'); f.flush()
print(f.readline(), f.read(15), f.readline())
ask(b'get nothing\\r\\n', [b'END\\r\\n'])
ask(b'incr n 1\\r\\n', [b'NOT_FOUND\\r\\n'])
ask(b'nosuch\\r\\n', [b'ERROR\\r\\n'])
f.write(b'set a 0 0 1 noreply\\r\\n1\\r\\n'); ask(b'incr a 1\\r\\n', [b'2\\r\\n'])
f.write(b'quit\\r\\n'); f.flush(); assert f.read() == b''
`;

/** memcached, with its text protocol. */
export const memcached: ProtocolProgram = {
  name: 'memcached',
  test: testWith(['memcached', '/usr/bin/python3'], 'apt-get install memcached python3'),
  async start() {
    const { port } = await startServer((free) => [
      'memcached',
      ...['-l', '127.0.0.1', '-p', String(free), '-U', '0', '-u', 'nobody'],
    ]);
    return port;
  },
  ask: (port) => python(client, port),
  answer: /^STORED\r\nb'VALUE k 0 13\\r\\n' b'END\\r\\nSTORED\\r\\n\\r\\n' b'END\\r\\n'\nEND\r\n/,
};
