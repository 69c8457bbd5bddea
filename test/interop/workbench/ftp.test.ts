import { testWithPython } from '../../support/tools.ts';
import { ftp } from '../protocols/servers/ftp.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'FTP',
  test: testWithPython(['pyftpdlib'], ['curl'], 'apt-get install python3-pyftpdlib curl'),
  start: ftp.start,
  port: '21',
  wrongReply: ['data< hello', 'data< goodbye'],
  wrongRequest: ['> RETR a.txt', '> RETR b.txt'],
});
