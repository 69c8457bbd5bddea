import { testWith } from '../../support/tools.ts';
import { memcached } from '../protocols/servers/memcached.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'memcached',
  test: testWith(['memcached', 'memccp', 'memccat'], 'apt-get install memcached libmemcached-tools'),
  start: memcached.start,
  port: '11211',
  wrongReply: ['\\r\\nred\\r\\nEND', '\\r\\nblue\\r\\nEND'],
  wrongRequest: ['> get color', '> get colour'],
});
