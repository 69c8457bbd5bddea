import { rsyslog, startRsyslog } from '../protocols/servers/rsyslog.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'Syslog',
  test: rsyslog.test,
  start: async (folder) => (await startRsyslog(undefined, folder)).port,
  port: '514',
  wrongRequest: ['- second', '- third'],
});
