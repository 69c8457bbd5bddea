import { mllp } from '../protocols/servers/mllp.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'MLLP',
  test: mllp.test,
  start: mllp.start,
  port: '2575',
  wrongReply: ['MSA|AA|C2', 'MSA|AE|C2'],
  wrongRequest: ['ORU^R01|C2', 'ORU^R02|C2'],
});
