import { testWith } from '../../support/tools.ts';
import { smtp } from '../protocols/servers/smtp.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'SMTP',
  test: testWith(['/usr/bin/aiosmtpd', 'curl'], 'apt-get install python3-aiosmtpd curl'),
  start: smtp.start,
  port: '25',
  wrongReply: ['250 HELP', '250 HELLO'],
  wrongRequest: ['<b@example.org>', '<c@example.org>'],
});
