import { temporaryFile } from '../../../support/files.ts';
import { testWithPython } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

const server = `
import sys
from pymodbus.datastore import ModbusSequentialDataBlock as Block, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartTcpServer
unit = ModbusSlaveContext(di=Block(0, [1] * 200), co=Block(0, [1, 0] * 100), hr=Block(0, list(range(300))), ir=Block(0, [7] * 200))
StartTcpServer(context=ModbusServerContext(slaves=unit, single=True), address=('127.0.0.1', int(sys.argv[1])))
`;

/** A pymodbus server and mbpoll. */
export const modbus: ProtocolProgram = {
  name: 'pymodbus and mbpoll',
  test: testWithPython(
    ['pymodbus', 'serial', 'serial_asyncio'],
    ['mbpoll'],
    'apt-get install mbpoll python3-pymodbus python3-serial python3-serial-asyncio',
  ),
  async start() {
    const file = temporaryFile('server.py', server);
    const { port } = await startServer((free) => ['/usr/bin/python3', file, String(free)]);
    return port;
  },
  async ask(port) {
    const poll = (...words: string[]) => printed(['mbpoll', '-m', 'tcp', '-p', String(port), '-q', '-1', ...words]);
    const registers = await poll('-a', '17', '-r', '100', '-c', '3', '127.0.0.1');
    const written = await poll('-a', '1', '-r', '10', '127.0.0.1', '--', '4711', '4712');
    const back = await poll('-a', '1', '-r', '10', '-c', '2', '127.0.0.1');
    const coils = await poll('-a', '1', '-t', '0', '-r', '1', '-c', '20', '127.0.0.1');
    return `${registers}${written}${back}${coils}`.replace(/[ \t]+/g, ' ');
  },
  answer: /\[100\]: 100\n\[101\]: 101\n.*Written 2 references.*\[10\]: 4711\n\[11\]: 4712\n/s,
};
