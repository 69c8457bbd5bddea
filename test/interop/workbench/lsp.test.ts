import { lsp } from '../protocols/servers/lsp.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'A language server',
  test: lsp.test,
  wrongReply: ['"f(x)', '"f(y)'],
  wrongRequest: ['"character": 4', '"character": 5'],
});
