import { nats } from '../protocols/servers/nats.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'NATS',
  test: nats.test,
  start: nats.start,
  port: '4222',
  wrongReply: ['MSG news 1 7\\r\\nhello 2', 'MSG news 1 7\\r\\nhello 3'],
  wrongRequest: ['> SUB news', '> SUB old'],
});
