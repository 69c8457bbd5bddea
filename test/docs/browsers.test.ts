/** The page of docs/browsers.md, in Chromium, with its server. */
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { startChromium } from '../support/chromium.ts';
import { freePort } from '../support/ports.ts';
import { start } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const root = new URL('../../', import.meta.url).pathname;

testWith('chromium', 'apt-get install chromium')(
  'the page of the examples and a TCP client talk to each other, also after a restart of the server',
  async () => {
    const ports = [await freePort(), await freePort()].map(String);
    const first = start([process.execPath, `${root}examples/page.ts`, ...ports]);
    const [, tcp = '', web = ''] = await first.saw(/^tcp: (\S+), page: (\S+)$/m);
    const browser = await startChromium();
    onTestFinished(() => browser.close());
    const page = await browser.open(web);
    const client = await connect(tcp);
    const heard = client[Symbol.asyncIterator]();
    await page.run(whenItSays, '#state', 'connected');
    client.send('from TCP');
    expect((await heard.next()).value?.text).toBe('from TCP');
    await page.run(whenItSays, '#lines', 'from TCP');
    await page.run(write, 'from the page <b>✓</b>');
    expect((await heard.next()).value?.text).toBe('from the page <b>✓</b>');
    await page.run(whenItSays, '#lines', 'from the page <b>✓</b>');
    client.abort();
    await first.stop('SIGKILL');
    await page.run(whenItSays, '#state', 'reconnecting');
    const second = start([process.execPath, `${root}examples/page.ts`, ...ports]);
    await second.saw(/^tcp: /m);
    await page.run(whenItSays, '#state', 'connected');
    await page.run(write, 'still here');
    await page.run(whenItSays, '#lines', 'still here');
  },
);

/** The part of the DOM that is used in the page. */
interface Dom {
  readonly document: {
    querySelector(selector: string): { textContent: string; value: string; requestSubmit(): void };
  };
}

/** Resolves when the element has the text. */
async function whenItSays(selector: string, text: string): Promise<void> {
  const { document } = globalThis as unknown as Dom;
  while (!document.querySelector(selector).textContent.includes(text)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Does what a person does. */
function write(text: string): void {
  const { document } = globalThis as unknown as Dom;
  document.querySelector('#text').value = text;
  document.querySelector('#form').requestSubmit();
}

test('docs/browsers.md shows the page as it is in the example', () => {
  const [, shown] =
    /<!-- examples\/page\.html -->\n```html\n(.*?)```/s.exec(readFileSync(`${root}docs/browsers.md`, 'utf8')) ?? [];
  expect(shown).toBe(readFileSync(`${root}examples/page.html`, 'utf8'));
});
