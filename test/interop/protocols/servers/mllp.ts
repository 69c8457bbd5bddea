import { temporaryFile } from '../../../support/files.ts';
import { testWithPython } from '../../../support/tools.ts';
import { type ProtocolProgram, python, startServer } from './server.ts';

const server = `
import asyncio, sys
from hl7.mllp import start_hl7_server
async def talk(reader, writer):
    try:
        while True:
            message = await reader.readmessage()
            writer.writemessage(message.create_ack(message_id='ACK')); await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError): pass
    writer.close()
async def main():
    async with await start_hl7_server(talk, host='127.0.0.1', port=int(sys.argv[1])) as server: await server.serve_forever()
asyncio.run(main())
`;

const client = `
import re, sys
from hl7.client import MLLPClient
result = 'MSH|^~\\\\&|LAB|A|OE|B|200202150930||ORU^R01|{}|P|2.4\\rPID|||555-44-4444||EVERYWOMAN^EVE\\rOBX|1|SN|1554-5^GLUCOSE||^182|mg/dl|70_105|H|||F\\r'
with MLLPClient('127.0.0.1', int(sys.argv[1])) as client:
    for number in ('C1', 'C2'): print(re.sub(rb'\\d{14}', b'TIME', client.send_message(result.format(number))))
`;

/** The server and the client of python3-hl7. */
export const mllp: ProtocolProgram = {
  name: 'the HL7 server and client of python3-hl7',
  test: testWithPython(['hl7'], [], 'apt-get install python3-hl7'),
  async start() {
    const file = temporaryFile('server.py', server);
    const { port } = await startServer((free) => ['/usr/bin/python3', file, String(free)]);
    return port;
  },
  ask: (port) => python(client, port),
  answer: /^b'\\x0bMSH.*MSA\|AA\|C1\\r\\x1c\\r'\nb'\\x0bMSH.*MSA\|AA\|C2\\r\\x1c\\r'\n$/,
};
