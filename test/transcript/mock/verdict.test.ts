/** What a mock says about its clients. */
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { mocked, problemsOf } from './mocked.ts';

const talk = '> hello\n< hi\n> bye\n< see you\n';

describe('a run is', () => {
  it('completed if a client said everything', async () => {
    const one = await mocked(talk);
    await one.say('hello\nbye\n');
    expect(await one.mock.done).toEqual({ isCompleted: true, completedRuns: 1, problems: [] });
  });

  it.each([
    ['says something else', 'hello\nquit\n', 'talk.transcript:3: expected > bye, received > quit'],
    ['leaves a line out', 'bye\n', 'talk.transcript:1: expected > hello, received > bye'],
    ['leaves too early', 'hello\n', 'talk.transcript:3: the client ended its side without: > bye'],
    ['says nothing', '', 'talk.transcript:1: the client ended its side without: > hello'],
    ['says more', 'hello\nbye\nmore\n', 'talk.transcript: expected no more messages, received > more'],
  ])('not completed if a client %s', async (_, said, problem) => {
    const one = await mocked(talk);
    await one.say(said);
    expect(await problemsOf(one)).toEqual([problem]);
  });

  it('not completed if a client resets its connection too early, or is gone before a line is sent', async () => {
    const one = await mocked(talk);
    const peer = await one.connect();
    await peer.ask('hello');
    peer.reset();
    expect(await problemsOf(one)).toEqual(['talk.transcript:3: the client left without: > bye']);
    const late = await mocked('> hello\n@wait 50ms\n< hi\n');
    const other = await late.connect();
    await other.send('hello\n');
    other.reset();
    expect(await problemsOf(late)).toEqual(['talk.transcript:3: the client left before this line was sent']);
  });

  it('over when its client stays silent after the last line, and what it says later counts, too', async () => {
    const one = await mocked(talk);
    const peer = await one.connect();
    await peer.send('hello\nbye\n');
    expect((await one.mock.done).isCompleted).toBe(true);
    await peer.send('more\n');
    await peer.ended;
    expect(one.mock.verdict()).toMatchObject({ isCompleted: false, problems: [{ line: undefined }] });
  });

  it('a problem while something is due', async () => {
    const one = await mocked(talk);
    expect(one.mock.verdict().problems).toMatchObject([{ message: 'talk.transcript: no client has connected' }]);
    const peer = await one.connect();
    await peer.ask('hello');
    expect(one.mock.verdict()).toEqual({
      isCompleted: false,
      completedRuns: 0,
      problems: [
        {
          ...{ file: 'talk.transcript', line: 3, client: '', expected: '> bye', received: undefined },
          message: 'talk.transcript:3: the client has not come to: > bye',
        },
      ],
    });
    await peer.ask('bye');
    expect(one.mock.verdict().isCompleted).toBe(true);
  });
});

describe('a problem', () => {
  it('has the line, the client and the message', async () => {
    const one = await mocked('Ada> hello\nBob> hi\n');
    const [ada, bob] = [await one.connect(), await one.connect()];
    await ada.send('hello\n');
    await bob.send('hullo\n');
    for (const peer of [ada, bob]) peer.end();
    const { problems } = await one.mock.done;
    const [problem] = problems;
    expect(problems).toHaveLength(1);
    expect(problem).toMatchObject({ file: 'talk.transcript', line: 2, client: 'Bob', expected: 'Bob> hi' });
    expect(problem?.received?.text).toBe('hullo');
  });

  it('of one client leaves the others alone', async () => {
    const one = await mocked('Ada> hello\nBob> hi\nBob< welcome\nAda> still here\nAda< good\n');
    const [ada, bob] = [await one.connect(), await one.connect()];
    await ada.send('hello\n');
    await bob.send('hullo\n');
    expect((await bob.ended).toString()).toBe('error: talk.transcript:2: expected Bob> hi, received > hullo\n');
    expect(await ada.ask('still here')).toBe('good');
    for (const peer of [ada, bob]) peer.end();
    expect(await problemsOf(one)).toEqual(['talk.transcript:2: expected Bob> hi, received > hullo']);
  });

  it('is an end of a side, or a connection, that does not come', async () => {
    const one = await mocked('> hello\n@close\n< bye\n');
    const peer = await one.connect();
    await peer.send('hello\nmore\n');
    await peer.ended;
    expect(await problemsOf(one)).toEqual(['talk.transcript:2: expected @close, received > more']);
    const two = await mocked('Ada> hello\nBob> hi\n');
    await two.say('hello\n');
    expect(two.mock.verdict().problems).toMatchObject([
      { message: 'talk.transcript:2: Bob has not connected, and not come to: Bob> hi' },
    ]);
  });
});

describe('several runs', () => {
  it('are all counted', async () => {
    const one = await mocked(talk);
    for (let round = 0; round < 3; round++) await one.say('hello\nbye\n');
    expect(one.mock.verdict()).toEqual({ isCompleted: true, completedRuns: 3, problems: [] });
    await one.say('hello\n');
    await expect.poll(() => one.mock.verdict().problems.length).toBe(1);
    expect(one.mock.verdict()).toMatchObject({ isCompleted: false, completedRuns: 3 });
  });

  it('with once are a problem', async () => {
    const one = await mocked(talk, { once: true });
    const peer = await one.connect();
    await peer.ask('hello');
    expect(await one.say('')).toBe('');
    await peer.ask('bye');
    peer.end();
    expect(await problemsOf(one)).toEqual(['talk.transcript: expected no more clients, and one has connected']);
  });
});

describe('lenient', () => {
  it('is completed when each line has come, in any order', async () => {
    const one = await mocked(talk, { lenient: true });
    expect(await one.say('bye\nhello\nbye\n')).toBe('see you\nhi\nsee you\n');
    expect((await one.mock.done).isCompleted).toBe(true);
  });

  it('names lines that have not come, and messages that are no line', async () => {
    const one = await mocked(talk, { lenient: true });
    await one.say('bye\n');
    expect(await problemsOf(one)).toEqual(['talk.transcript:1: never received: > hello']);
    const two = await mocked(talk, { lenient: true });
    await two.say('bye\nhello\nwhat?\n');
    expect(await problemsOf(two)).toEqual(['talk.transcript: no line of talk.transcript matches > what?']);
  });
});

describe('connections', () => {
  it('a client that connects again takes its part again', async () => {
    const one = await mocked('> hello\n< hi\n@close\n@closed\n> again\n< yes\n@close\n@closed\n');
    expect(await one.say('hello\n')).toBe('hi\n');
    expect(await one.say('again\n')).toBe('yes\n');
    expect(await problemsOf(one)).toEqual([]);
  });

  it('what a client sends in the same packet after the end of the server is more than it should', async () => {
    const one = await mocked('> quit\n< bye\n@closed\n');
    expect(await one.say('quit\nmore\n')).toBe('bye\n');
    expect(await problemsOf(one)).toEqual(['talk.transcript: expected no more messages, received > more']);
  });

  it('so is what it sends on a connection that another one follows', async () => {
    const one = await mocked('> a\n< b\n@closed\n@connect\n> c\n< d\n');
    await one.say('a\nmore\n');
    await one.say('c\n');
    expect(await problemsOf(one)).toEqual(['talk.transcript: expected no more messages, received > more']);
  });

  it('a client may go on when the server has ended its side', async () => {
    const one = await mocked('> a\n< b\n@closed\n> c\n@close\n');
    const peer = await one.connect();
    await peer.send('a\n');
    await peer.ended;
    await peer.send('c\n');
    peer.end();
    expect(await problemsOf(one)).toEqual([]);
  });

  it('a client that keeps its side open after the last line is disconnected', async () => {
    const one = await mocked('< bye\n@closed\n');
    const peer = await one.connect();
    await peer.ended;
    expect(await problemsOf(one)).toEqual([]);
    await eventually(() => expect(one.server.sessions.size).toBe(0));
  });

  it('do not keep a server that shuts down, though a client is missing', async () => {
    const one = await mocked('Ada> hello\nBob> hi\nAda< Bob says hi\n');
    const ada = await one.connect();
    await ada.send('hello\n');
    ada.end();
    await eventually(() => expect(one.mock.verdict().problems[0]?.line).toBe(2));
    one.mock.stop();
    await one.server.close();
    expect(one.mock.verdict().problems.map(({ message }) => message)).toEqual([
      'talk.transcript:2: Bob has not connected, and not come to: Bob> hi',
    ]);
  });

  it('a client that has ended its side gets what others cause later', async () => {
    const one = await mocked('Ada> hello\n@close Ada\nBob> hi\nAda< Bob says hi\n@closed Ada\n');
    const [ada, bob] = [await one.connect(), await one.connect()];
    await ada.send('hello\n');
    ada.end();
    await bob.send('hi\n');
    expect((await ada.ended).toString()).toBe('Bob says hi\n');
    bob.end();
    expect(await problemsOf(one)).toEqual([]);
  });

  it('what a client has said before it left is not lost while another one has its turn', async () => {
    const one = await mocked('Ada> hello\nBob> hi\nAda> bye\n');
    const [ada, bob] = [await one.connect(), await one.connect()];
    await ada.send('hello\nbye\n');
    ada.end();
    await bob.send('hi\n');
    bob.end();
    expect(await problemsOf(one)).toEqual([]);
  });
});

describe('times', () => {
  const text = '> a\n#+ 200ms\n< b\n#+ 20s\n> c\n< d\n';

  it('that were recorded are played before what the server sends, on request', async () => {
    const one = await mocked(text, { pace: 2 });
    const peer = await one.connect();
    const started = performance.now();
    await peer.ask('a');
    expect(performance.now() - started).toBeGreaterThan(80);
    expect(performance.now() - started).toBeLessThan(15_000);
    await peer.ask('c');
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

describe('no client that deviates is completed', () => {
  const text =
    '< welcome\n> hello {name}\n< hi {name}\n>? noop\n<? ok\n@unordered\n> a\n> b\n@end\n@repeat 2\n> item {x}\n< {x}\n@end\n> middle\n' +
    '@repeat\n> more\n< yes\n@end\n> go\n>*\n> stop\n< stopped\n> bye\n';
  const said = ['hello Ada', 'b', 'a', 'item 1', 'item 2', 'middle', 'more', 'more', 'go', 'stop', 'bye'];
  const play = async (lines: readonly string[]) => {
    const one = await mocked(text);
    await one.say(lines.map((line) => `${line}\n`).join(''));
    return (await one.mock.done).isCompleted;
  };

  it('the right one is', async () => {
    expect(await play(said)).toBe(true);
  });

  // Its loop may have any number of rounds.
  const free = ['more'];
  it.each(said.flatMap((line, index) => (free.includes(line) ? [] : [[line, index] as const])))(
    '%s left out, changed or doubled',
    async (line, index) => {
      expect(await play(said.toSpliced(index, 1))).toBe(false);
      expect(await play(said.toSpliced(index, 1, `x${line}`))).toBe(false);
      // What follows "go" may be anything, also another "go".
      expect(await play(said.toSpliced(index, 0, line))).toBe(line === 'go');
    },
  );
});
