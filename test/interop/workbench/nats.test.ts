import { nats } from '../protocols/servers/nats.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'NATS',
  test: nats.test,
  start: nats.start,
  port: '4222',
  wrongReply: ['\\r\\nhello 2', '\\r\\nhello 3'],
  wrongRequest: ['> SUB news', '> SUB old'],
});
