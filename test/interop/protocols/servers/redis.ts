import { temporaryFolder } from '../../../support/files.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

const commands = [
  'SET greeting "hello\\x00\\xff\\r\\nworld"',
  'GET greeting',
  'INCR n',
  'RPUSH list a b c',
  'LRANGE list 0 -1',
  'HSET hash field value',
  'HGETALL hash',
  'EVAL "return {1,{2,{3,{}}},false}" 0',
  'NOSUCH',
  'FLUSHALL',
];

/** redis-server and redis-cli, which speaks RESP3 here. */
export const redis: ProtocolProgram = {
  name: 'redis-server and redis-cli',
  test: testWith(['redis-server', 'redis-cli'], 'apt-get install redis-server'),
  async start() {
    const folder = temporaryFolder();
    const { port } = await startServer(
      (free) => ['redis-server', '--port', String(free), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
      { ready: /Ready to accept connections/ },
    );
    return port;
  },
  ask: (port) => printed(['redis-cli', '-3', '-p', String(port)], `${commands.join('\n')}\n`),
  answer: /^OK\nhello\0.*\n1\n3\na\nb\nc\n1\nfield value\n1\n2\n3\n/s,
};
