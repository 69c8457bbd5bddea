/** Peers that reset their connection before it is accepted: then their address is unknown. */
import { expect, test } from 'vitest';
import { dial } from '../support/peer.ts';
import { run, serve } from '../support/process/command.ts';
import { waitUntil } from '../support/process/process.ts';
import { testWith } from '../support/tools.ts';

const python = testWith('python3', 'apt-get install python3');

/** Connects, sends and resets at once. */
const resetting = `
import socket, struct, sys
for each in range(int(sys.argv[2])):
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    peer.connect(('127.0.0.1', int(sys.argv[1])))
    peer.send(b'PROXY TCP4 198.51.100.1 1.2.3.4 5555 80\\r\\nhello\\n')
    peer.close()
`;

python.each([
  ['--deny', ['--deny', '127.0.0.1']],
  ['a PROXY header', ['--proxy-protocol', '127.0.0.1', '--deny', '198.51.100.0/24,127.0.0.0/8']],
])('%s refuses connections whose peer address is unknown', async (_, flags) => {
  const server = await serve([...flags, '--log-format', 'json']);
  const peers = 200;
  expect((await run(['python3', '-c', resetting, String(server.port), String(peers)])).status).toBe(0);
  const refused = () => server.stdout().split('"event":"refused"').length - 1;
  await waitUntil('most of them are refused', () => refused() >= peers / 2);
  const { stdout } = await server.stop();
  const events = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string });
  expect(events.filter(({ event }) => event === 'message' || event === 'connected')).toEqual([]);
});

test('peers that only end their side at once are served', async () => {
  const server = await serve(['--log-format', 'json']);
  const peer = await dial(server.port);
  void peer.send('hello');
  peer.end();
  expect((await peer.ended).toString()).toBe('hello');
});
