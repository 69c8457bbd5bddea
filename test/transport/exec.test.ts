/** Connections to programs. */
import { expect, onTestFinished, test } from 'vitest';
import { ExecAddress } from '../../src/address.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import type { Connection, DialOptions } from '../../src/transport/transport.ts';
import { allGone } from '../support/process/children.ts';

/** A connection to a shell command, and everything that it reported. */
class Talk {
  readonly connection: Connection;
  readonly closed = Promise.withResolvers<void>();
  readonly ended = Promise.withResolvers<void>();
  text = '';
  events: string[] = [];
  error: Error | undefined;
  #awaited: { readonly text: string; readonly resolve: () => void } | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
    onTestFinished(() => connection.abort());
    connection.start({
      onData: (chunk) => {
        this.text += Buffer.from(chunk).toString();
        if (this.#awaited && this.text.includes(this.#awaited.text)) this.#awaited.resolve();
      },
      onEnd: () => {
        this.events.push('end');
        this.ended.resolve();
      },
      onDrain: () => undefined,
      onClose: (error) => {
        this.events.push('close');
        this.error = error;
        this.closed.resolve();
      },
    });
  }

  /** Resolves when the output contains `text`. */
  async until(text: string): Promise<void> {
    if (this.text.includes(text)) return;
    await new Promise<void>((resolve) => {
      this.#awaited = { text, resolve };
    });
  }
}

async function start(script: string, options?: DialOptions): Promise<Talk> {
  return new Talk(await runtimeTransport.connect(new ExecAddress(`sh -c '${script}'`), options));
}

test('carries bytes in both directions, and closes when both sides have ended', async () => {
  const talk = await start('cat');
  talk.connection.write(Buffer.from('a\n'));
  await talk.until('a\n');
  talk.connection.write(Buffer.from('b'));
  talk.connection.end();
  await talk.closed.promise;
  expect(talk.text).toBe('a\nb');
  expect(talk.events).toEqual(['end', 'close']);
  expect(talk.error).toBeUndefined();
});

test('sends the end of input only after everything that was written', async () => {
  const talk = await start('sleep 0.05; wc -c');
  talk.connection.write(Buffer.alloc(3_000_000, 'x'));
  expect(talk.connection.unsent).toBeGreaterThan(0);
  talk.connection.end();
  await talk.closed.promise;
  expect(talk.text.trim()).toBe('3000000');
  expect(talk.error).toBeUndefined();
  expect(talk.connection.unsent).toBe(0);
});

test('a program that ends first does not close the connection before this side has ended', async () => {
  const talk = await start('echo done');
  await talk.ended.promise;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(talk.events).toEqual(['end']);
  talk.connection.end();
  await talk.closed.promise;
  expect([talk.text, talk.error]).toEqual(['done\n', undefined]);
});

test('a status other than 0 is an error that names it, with the last lines of stderr', async () => {
  const talk = await start('echo out; echo "first" >&2; echo "no such table" >&2; exit 3');
  await talk.closed.promise;
  expect(talk.text).toBe('out\n');
  expect(talk.error).toMatchObject({ code: 'YODEL_COMMAND_FAILED' });
  expect(talk.error?.message).toContain('ended with status 3; on stderr: first | no such table');
});

test('a program that was killed is an error that names the signal', async () => {
  const talk = await start('kill -9 $$');
  await talk.closed.promise;
  expect(talk.error?.message).toContain('was ended by SIGKILL');
});

test('passes stderr on line by line if that is wanted', async () => {
  const lines: string[] = [];
  const talk = await start('echo one >&2; echo two >&2; exit 1', { stderr: (line) => lines.push(line) });
  await talk.closed.promise;
  expect(lines).toEqual(['one', 'two']);
  expect(talk.error?.message).toMatch(/ended with status 1$/);
});

test('input that the program did not read is an error, and its size is known', async () => {
  const talk = await start('read line; echo "$line"');
  talk.connection.write(Buffer.from(`first\n${'x'.repeat(5_000_000)}`));
  talk.connection.end();
  await talk.closed.promise;
  expect(talk.text).toBe('first\n');
  expect(talk.error?.message).toContain('did not read all of its input');
  expect(talk.connection.unsent).toBeGreaterThan(4_000_000);
});

test('pausing stops the output until it is resumed, and nothing is lost when the program exits meanwhile', async () => {
  const talk = await start('head -c 3000000 /dev/zero; exit 0');
  talk.connection.pause();
  const before = talk.text.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  // One chunk may already have been read.
  expect(talk.text.length - before).toBeLessThan(500_000);
  talk.connection.resume();
  await talk.ended.promise;
  expect(talk.text.length).toBe(3_000_000);
});

test('everything that the program started ends with it', async () => {
  const talk = await start('sleep 1000 & echo $!; wait');
  await talk.until('\n');
  talk.connection.abort();
  await talk.closed.promise;
  await allGone(Number(talk.text));
});

test('what it leaves behind when it exits is ended, and does not delay the end', async () => {
  const talk = await start('sleep 1000 & echo $!; exit 0');
  talk.connection.end();
  await talk.closed.promise;
  await allGone(Number(talk.text));
  expect(talk.error).toBeUndefined();
});

test('releasing ends a program that ignores the end of its input', async () => {
  const talk = await start('echo $$; exec sleep 1000');
  await talk.until('\n');
  talk.connection.end();
  talk.connection.release();
  await talk.closed.promise;
  expect(talk.error).toBeUndefined();
  await allGone(Number(talk.text));
});

test('a released program may still finish what it has received', async () => {
  const talk = await start('echo $$; read line; sleep 0.05; echo "$line" >/dev/null');
  await talk.until('\n');
  talk.connection.write(Buffer.from('last\n'));
  talk.connection.release();
  await talk.closed.promise;
  expect(talk.events).toEqual(['close']);
  await allGone(Number(talk.text));
});

test('a program that cannot be started is an error that names it', async () => {
  const connecting = runtimeTransport.connect(new ExecAddress('no-such-program --x'));
  await expect(connecting).rejects.toMatchObject({
    code: 'YODEL_COMMAND_FAILED',
    message: 'cannot start the command no-such-program: there is no such program',
  });
});

test('a quote that is not closed is an error', async () => {
  await expect(runtimeTransport.connect(new ExecAddress("sh -c 'x"))).rejects.toMatchObject({
    code: 'YODEL_INVALID_OPTION',
  });
});

test('an aborted attempt starts nothing', async () => {
  const signal = AbortSignal.abort(new Error('stop'));
  await expect(runtimeTransport.connect(new ExecAddress('cat'), { signal })).rejects.toThrow('stop');
});

test('what only a shell understands is run by one', async () => {
  const talk = new Talk(await runtimeTransport.connect(new ExecAddress('sort | uniq -c | tr -d " "')));
  talk.connection.write(Buffer.from('b\na\nb\n'));
  talk.connection.end();
  await talk.closed.promise;
  expect(talk.text).toBe('1a\n2b\n');
});

test('a program that failed has not ended in order', async () => {
  const talk = await start('echo out; exit 1');
  await talk.closed.promise;
  expect([talk.text, talk.events]).toEqual(['out\n', ['close']]);
});

test('a program that failed has not ended in order, even if this process is too busy to notice it in time', async () => {
  const stderr = () => setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500));
  const talk = await start('exec >&-; echo closed >&2; sleep 0.1; exit 1', { stderr });
  await talk.closed.promise;
  expect(talk.events).toEqual(['close']);
  expect(talk.error?.message).toContain('ended with status 1');
});

test('a program may close its output and go on', async () => {
  const talk = await start('exec >&-; read line; echo "$line" >&2', { stderr: (line) => lines.push(line) });
  const lines: string[] = [];
  await talk.ended.promise;
  expect(talk.events).toEqual(['end']);
  talk.connection.write(Buffer.from('more\n'));
  talk.connection.end();
  await talk.closed.promise;
  expect(lines).toEqual(['more']);
});
