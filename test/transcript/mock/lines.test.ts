/** What a mock does with each kind of line. */
import { describe, expect, it } from 'vitest';
import { mocked, problemsOf } from './mocked.ts';

/** What a client that sends everything at once receives, and what the mock says about it. */
async function play(text: string, said: string, variables = {}) {
  const one = await mocked(text, {}, variables);
  const received = await one.say(said);
  return { received, problems: await problemsOf(one) };
}

const completed: string[] = [];

describe('any messages (>*)', () => {
  const text = '> hello\n< hi\n>*\n< still there\n> bye\n< see you\n';

  it('are accepted up to the next line, also after a line of the server', async () => {
    const { received, problems } = await play(text, 'hello\nthis\nand that\nbye\n');
    expect({ received, problems }).toEqual({ received: 'hi\nstill there\nsee you\n', problems: completed });
  });

  it('may be none', async () => {
    expect((await play(text, 'hello\nbye\n')).problems).toEqual(completed);
  });

  it('do not replace a line', async () => {
    expect((await play(text, 'hello\nthis\nand that\n')).problems).toEqual([
      'talk.transcript:5: the client ended its side without: > bye',
    ]);
  });

  it('at the end accept everything', async () => {
    expect((await play('> a\n>*\n', 'a\nb\nc\n')).problems).toEqual(completed);
  });
});

describe('optional lines', () => {
  const text = '>? NOOP\n<? 250 ok\n> QUIT\n< 221 bye\n';

  it.each([
    ['NOOP\nQUIT\n', '250 ok\n221 bye\n'],
    ['QUIT\n', '221 bye\n'],
  ])('%j: of a client may come or not, and the reply to it with it', async (said, received) => {
    expect(await play(text, said)).toEqual({ received, problems: completed });
  });

  it('do not hold up what the server must send', async () => {
    const one = await mocked('>? hello\n< welcome\n> bye\n');
    const peer = await one.connect();
    await peer.saw(/welcome\n/);
    await peer.send('hello\nbye\n');
    peer.end();
    await peer.ended;
    expect(await problemsOf(one)).toEqual(completed);
  });

  it('of the server are left out if a name has no value', async () => {
    expect((await play('>? name {n}\n> hi\n<? hello {n}\n< done\n', 'hi\n')).received).toBe('done\n');
    expect((await play('>? name {n}\n> hi\n<? hello {n}\n< done\n', 'name Ada\nhi\n')).received).toBe(
      'hello Ada\ndone\n',
    );
    expect((await play('> hi\n<? /pattern/\n< done\n', 'hi\n')).received).toBe('done\n');
  });

  it('come in their order', async () => {
    expect((await play('>? a\n>? b\n> c\n', 'a\nb\nc\n')).problems).toEqual(completed);
    expect((await play('>? a\n>? b\n> c\n', 'b\nc\n')).problems).toEqual(completed);
    expect((await play('>? a\n>? b\n> c\n', 'b\na\nc\n')).problems).toEqual([
      'talk.transcript:3: expected > c, received > a',
    ]);
  });

  it('at the end may be missing', async () => {
    expect(await play('> a\n< b\n>? QUIT\n<? bye\n', 'a\n')).toEqual({ received: 'b\n', problems: completed });
    expect(await play('> a\n< b\n>? QUIT\n<? bye\n', 'a\nQUIT\n')).toEqual({
      received: 'b\nbye\n',
      problems: completed,
    });
  });
});

describe('@unordered', () => {
  const text = '@unordered\n> a {x}\n> b {y}\n>? c\n@end\n< {x}{y}\n> end\n';

  it.each(['a 1\nb 2\nend\n', 'b 2\na 1\nend\n', 'c\nb 2\na 1\nend\n', 'b 2\na 1\nc\nend\n'])(
    'accepts its lines in any order: %j',
    async (said) => {
      expect(await play(text, said)).toEqual({ received: '12\n', problems: completed });
    },
  );

  it('accepts each line once', async () => {
    expect((await play(text, 'a 1\na 2\nend\n')).problems).toEqual([
      'talk.transcript:3: expected > b {y}, received > a 2',
    ]);
    expect((await play(text, 'a 1\n')).problems).toEqual([
      'talk.transcript:3: the client ended its side without: > b {y}',
    ]);
  });

  it('gives a message to the line that no other message fits', async () => {
    expect((await play('@unordered\n> {any}\n> a\n@end\n', 'a\nb\n')).problems).toEqual(completed);
    expect((await play('@unordered\n> {any}\n> a\n@end\n', 'b\na\n')).problems).toEqual(completed);
  });

  it('sends lines of the server in their order', async () => {
    expect((await play('> go\n@unordered\n< a\n< b\n@end\n', 'go\n')).received).toBe('a\nb\n');
  });
});

describe('@repeat', () => {
  it('with a count is played that often', async () => {
    const text = '@repeat 3 i\n> item {id}\n< {i} {id}\n@end\n> end\n';
    expect(await play(text, 'item a\nitem b\nitem c\nend\n')).toEqual({
      received: '1 a\n2 b\n3 c\n',
      problems: completed,
    });
    expect((await play(text, 'item a\nend\n')).problems).toEqual([
      'talk.transcript:2: expected > item {id}, received > end',
    ]);
  });

  it.each([0, 1, 5])('without a count is played as often as its first line comes: %i times', async (count) => {
    const text = '> hello\n@repeat\n> get {id}\n< value {id}\n@end\n> quit\n< bye\n';
    const items = Array.from({ length: count }, (_, index) => `get ${index}\n`).join('');
    const values = items.replaceAll('get', 'value');
    expect(await play(text, `hello\n${items}quit\n`)).toEqual({ received: `${values}bye\n`, problems: completed });
  });

  it('without a count at the end is over with the client', async () => {
    expect((await play('@repeat\n> ping\n< pong\n@end\n', 'ping\nping\n')).received).toBe('pong\npong\n');
    expect((await play('@repeat\n> ping\n< pong\n@end\n', 'ping\nother\n')).problems).toEqual([
      'talk.transcript: expected no more messages, received > other',
    ]);
  });

  it('may be within another', async () => {
    const text = '@repeat\n> begin\n@repeat\n> item {x}\n< {x}\n@end\n> end\n< done\n@end\n';
    expect(await play(text, 'begin\nitem 1\nitem 2\nend\nbegin\nend\nbegin\nitem 3\nend\n')).toEqual({
      received: '1\n2\ndone\ndone\n3\ndone\n',
      problems: completed,
    });
  });
});

describe('values', () => {
  it('a name with a default is sent as such, and known from then on', async () => {
    const text = '< session {id=42}\n> use {id}\n< using {id}\n';
    expect(await play(text, 'use 42\n')).toEqual({ received: 'session 42\nusing 42\n', problems: completed });
    expect((await play(text, 'use 43\n')).problems).toEqual([
      'talk.transcript:2: expected > use {id}, received > use 43',
    ]);
  });

  it('are given from outside, by @set, and by functions', async () => {
    const text = '@set greeting=hello {who}\n> hi\n< {greeting}\n< {length:{greeting}}\n';
    expect((await play(text, 'hi\n', { who: 'Ada' })).received).toBe('hello Ada\n9\n');
  });

  it('without one is an error before anything is served, with the remedy', async () => {
    await expect(mocked('> a\n< session {id}\n')).rejects.toThrow(
      'talk.transcript:2:11: {id} has no value yet: no earlier line of a client captures it; give it one with @set or --var id=…, or a default: {id=…}',
    );
  });
});

it('JSON is compared as JSON', async () => {
  const text = '>j {"id":{id},"method":"add"}\n<j {"id":{id},"result":3}\n';
  expect(await play(text, '{ "method": "add", "id": 7 }\n')).toEqual({
    received: '{"id":7,"result":3}\n',
    problems: completed,
  });
});

it('a difference within JSON is named', async () => {
  expect((await play('>j {"a":1,"b":[1,2]}\n', '{"a":1,"b":[1,3]}\n')).problems).toEqual([
    'talk.transcript:1: expected >j {"a":1,"b":[1,2]}, received > {"a":1,"b":[1,3]} ($.b[1] is 3 and not 2)',
  ]);
});

it('@ignore leaves out parts of what a client sends', async () => {
  expect((await play('@ignore $.time\n>j {"a":1,"time":0}\n', '{"a":1,"time":99}\n')).problems).toEqual(completed);
});

it('@expect-ending compares how messages end', async () => {
  const text = '@expect-ending crlf\n> a\n< b\n';
  expect((await play(text, 'a\r\n')).problems).toEqual(completed);
  expect((await play(text, 'a\n')).problems).toEqual([
    'talk.transcript:2: expected > a, received > a (it ends with LF, and not with CRLF)',
  ]);
});

describe('raw', () => {
  const text = '@framing raw\n> hello\n> world\n< ok\n> {rest}!\n';

  it.each([[['helloworld', 'abc!']], [['hel', 'lo', 'worl', 'd', 'ab', 'c!']], [['h', 'elloworldab', 'c!']]])(
    'is compared by content, not by chunks: %j',
    async (chunks) => {
      const one = await mocked(text);
      const peer = await one.connect();
      for (const chunk of chunks) {
        await peer.send(chunk);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await peer.saw(/ok/);
      peer.end();
      await peer.ended;
      expect(await problemsOf(one)).toEqual(completed);
    },
  );

  it('different bytes, and missing ones, are problems', async () => {
    expect((await play(text, 'hellowXrld')).problems).toEqual([
      'talk.transcript:3: expected > world, received > wXrld',
    ]);
    expect((await play(text, 'hellowor')).problems).toEqual(['talk.transcript:3: expected > world, received > wor']);
  });
});
