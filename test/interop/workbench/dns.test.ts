import { nsd } from '../protocols/servers/nsd.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'DNS',
  test: nsd.test,
  start: nsd.start,
  port: '5353',
  wrongReply: ['00 04 c0 00 02 0a', '00 04 c0 00 02 0b'],
  // The type of the second query: MX.
  wrongRequest: ['65 00 00 0f 00 01 00 00 29', '65 00 00 10 00 01 00 00 29'],
});
