import { modbus } from '../protocols/servers/modbus.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'Modbus',
  test: modbus.test,
  start: modbus.start,
  port: '502',
  wrongReply: ['\\x03\\x04\\0d\\0e', '\\x03\\x04\\0d\\0f'],
  wrongRequest: ['\\x03\\0c\\0\\x02', '\\x03\\0d\\0\\x02'],
});
