import { testWithPython } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

const client = `
import json, queue, socket, sys, threading
from pylsp_jsonrpc.streams import JsonRpcStreamReader, JsonRpcStreamWriter
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
writer = JsonRpcStreamWriter(s.makefile('wb')); messages = queue.Queue()
threading.Thread(target=JsonRpcStreamReader(s.makefile('rb')).listen, args=(messages.put,), daemon=True).start()
seen = set()
def receive():
    message = messages.get(timeout=20)
    seen.add(message.get('method'))
    return message
def send(method, params=None, id=None):
    message = {'jsonrpc': '2.0', 'method': method}
    if params is not None: message['params'] = params
    if id is not None: message['id'] = id
    writer.write(message)
    while id is not None:
        answer = receive()
        if answer.get('id') == id: return answer['result']
print(sorted(send('initialize', {'processId': None, 'rootUri': None, 'capabilities': {}}, 1)['capabilities']))
send('initialized', {})
where = {'uri': 'file:///nowhere/t.py'}
send('textDocument/didOpen', {'textDocument': {**where, 'languageId': 'python', 'version': 1, 'text': '# größer\\ndef f(grüße):\\n  return 1\\n'}})
print(json.dumps(send('textDocument/hover', {'textDocument': where, 'position': {'line': 1, 'character': 4}}, 2), ensure_ascii=False))
# It comes by itself, half a second after the document was opened, and would otherwise be on its way when the client leaves.
while 'textDocument/publishDiagnostics' not in seen: receive()
print(send('shutdown', None, 3)); send('exit')
`;

/** The Python language server, over TCP, and the streams of python3-pylsp-jsonrpc as its client. */
export const lsp: ProtocolProgram = {
  name: 'pylsp',
  test: testWithPython(['pylsp_jsonrpc'], ['pylsp'], 'apt-get install python3-pylsp'),
  async start() {
    const { port } = await startServer((free) => ['pylsp', '--tcp', '--host', '127.0.0.1', '--port', String(free)]);
    return port;
  },
  ask: (port) => python(client, port),
  answer: /^\[.*'hoverProvider'.*\]\n.*f\(grüße\).*\nNone\n$/,
};
