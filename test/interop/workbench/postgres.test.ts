import { postgres } from '../protocols/servers/postgres.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'PostgreSQL',
  test: postgres.test,
  start: postgres.start,
  port: '5432',
  wrongReply: ['\\x044711', '\\x044712'],
  wrongRequest: ['(4711)', '(4712)'],
});
