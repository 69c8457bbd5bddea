import { spawnSync } from 'node:child_process';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

const client = `
import ctypes, ctypes.util, sys
nats = ctypes.CDLL(ctypes.util.find_library('nats'))
nats.natsMsg_GetData.restype = ctypes.c_char_p
options, connection, subscription, message = (ctypes.c_void_p() for _ in range(4))
def do(status): assert status == 0, status
do(nats.natsOptions_Create(ctypes.byref(options)))
do(nats.natsOptions_SetURL(options, b'nats://127.0.0.1:' + sys.argv[1].encode()))
do(nats.natsOptions_SetTimeout(options, ctypes.c_int64(20000)))
do(nats.natsConnection_Connect(ctypes.byref(connection), options))
do(nats.natsConnection_SubscribeSync(ctypes.byref(subscription), connection, b'news'))
do(nats.natsConnection_PublishString(connection, b'news', b'hello'))
do(nats.natsSubscription_NextMsg(ctypes.byref(message), subscription, ctypes.c_int64(20000)))
print(nats.natsMsg_GetData(message).decode())
nats.natsConnection_Close(connection)
`;

function hasLibrary(): boolean {
  const find = "import ctypes.util; ctypes.CDLL(ctypes.util.find_library('nats')).natsConnection_Close";
  return spawnSync('/usr/bin/python3', ['-c', find]).status === 0;
}

/** nats-server and the C client, whose functions a Python program calls. */
export const nats: ProtocolProgram = {
  name: 'nats-server and libnats',
  test: testWith(['/usr/sbin/nats-server', '/usr/bin/python3'], 'apt-get install nats-server libnats-dev python3', {
    unless: hasLibrary() ? undefined : 'libnats',
  }),
  async start() {
    const { port } = await startServer(
      (free) => ['/usr/sbin/nats-server', '-a', '127.0.0.1', '-p', String(free), '-n', 'nats.example'],
      { ready: /Server is ready/ },
    );
    return port;
  },
  ask: (port) => python(client, port),
  answer: /^hello\n$/,
};
