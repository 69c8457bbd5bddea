/** The declarations of yodel/browser, in projects with the types of the DOM, of Node, and of both. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../support/process/command.ts';
import { root } from './packed.ts';

const page = `
import { type Client, connect, json, Message, type YodelError } from 'yodel/browser';

const client: Client = await connect('/chat', { reconnect: { initial: true } });
const text: string = (await client.request('a')).text;
client.send(Message.of(new Uint8Array(1), { kind: 'text' }));
const why: YodelError | undefined = await client.closed;

const typed = await connect('/chat', {
  codec: json<{ a: number }>(),
  correlate: { requestId: () => 1, replyId: (value) => ('a' in value ? value.a : undefined) },
});
const a: number = (await typed.request({ a: 1 })).a;
for await (const value of typed) value.a.toFixed();

// @ts-expect-error no option for browsers
await connect('/chat', { framing: 'lines' });
// @ts-expect-error no option for browsers
await connect('/chat', { pingInterval: 5 });
export { a, text, why };
`;

test.each([
  ['a page, for older browsers', ['es2022', 'dom', 'dom.iterable'], []],
  ['a page', ['esnext', 'dom'], []],
  ['a program for Node', ['es2024', 'esnext.disposable'], ['node']],
  ['a program with the types of both', ['esnext', 'dom'], ['node']],
])('%s compiles, with every declaration checked', async (_, lib, types) => {
  const project = mkdtempSync(join(tmpdir(), 'yodel-page-'));
  onTestFinished(() => rmSync(project, { recursive: true }));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules/yodel'));
  writeFileSync(join(project, 'page.ts'), page);
  const compilerOptions = {
    ...{
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    },
    ...{ lib, types, typeRoots: [join(root, 'node_modules/@types')] },
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['page.ts'] }));
  const { stdout, status } = await run([join(root, 'node_modules/.bin/tsc'), '-p', project]);
  expect(stdout.toString()).toBe('');
  expect(status).toBe(0);
});
