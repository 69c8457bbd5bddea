import { redis } from '../protocols/servers/redis.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'Redis',
  test: redis.test,
  start: redis.start,
  port: '6379',
  wrongReply: ['c2<\\ :1', 'c2<\\ :2'],
  wrongRequest: ['$3\\r\\nred', '$4\\r\\nblue'],
});
