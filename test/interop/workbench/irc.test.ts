import { ngircd } from '../protocols/servers/ngircd.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'IRC',
  test: ngircd.test,
  start: ngircd.start,
  port: '6667',
  wrongReply: ['127.0.0.1 PRIVMSG #talk :hello, Ada', '127.0.0.1 PRIVMSG #talk :hello, Eve'],
  wrongRequest: ['> PRIVMSG #talk :hello, Ada', '> PRIVMSG #talk :hello, Eve'],
});
