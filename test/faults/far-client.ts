/**
 * A client on another host: `far-client.ts talk HOST TCP TLS WS`, `ping HOST PORT`, `listen HOST PORT`. Prints lines of JSON.
 *
 * `talk` has long conversations over three transports. `ping` sends a message every 20 ms until a line arrives on stdin, and then
 * waits for all replies. `listen` sends one message, and then only receives.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Conversation, dial, dialTls, type Opened } from '../soak/conversation.ts';
import { Random } from '../soak/random.ts';
import { WebSocketWire } from '../soak/wires.ts';

const [mode = '', host = '', ...ports] = process.argv.slice(2);
const [first = 0, second = 0, third = 0] = ports.map(Number);

function print(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

function open(opened: Opened, name: string): Conversation {
  return new Conversation(name, opened, new Random(1, name));
}

/** Sends messages of many sizes, some in pieces and some many at a time, and ends. Resolves with what is wrong. */
async function converse(talk: Conversation): Promise<string[]> {
  const random = new Random(2, talk.name);
  for (let block = 0; block < 12; block++) {
    const from = talk.replies.sent;
    const count = random.between(1, 12);
    const texts = Array.from(
      { length: count },
      (_, at) => `${talk.name}.${from + at}.${'x'.repeat(random.between(0, 3000))}`,
    );
    if (random.chance(0.5)) await talk.sayAll(texts);
    else for (const text of texts) await talk.say(text);
  }
  const ending = await talk.end();
  const { sent, answered, error, problems } = talk.replies;
  const complete = ending === 'end' && answered === sent && error === undefined;
  return complete ? problems : [...problems, `${talk.name}: ${ending}, ${answered} of ${sent} answered, ${error}`];
}

async function talkToAll(): Promise<void> {
  const talks = [
    open(await dial(first, undefined, host), 'tcp1'),
    open(await dial(first, undefined, host), 'tcp2'),
    open(await dialTls(second, false, host), 'tls1'),
    open(await dialTls(second, false, host), 'tls2'),
    open(await dial(third, new WebSocketWire(third), host), 'ws1'),
    open(await dial(third, new WebSocketWire(third), host), 'ws2'),
  ];
  const problems = await Promise.all(talks.map(converse));
  const answered = talks.reduce((sum, { replies }) => sum + replies.answered, 0);
  print({ talked: talks.length, answered, problems: problems.flat() });
}

async function ping(): Promise<void> {
  const talk = open(await dial(first, undefined, host), 'ping');
  const told = once(process.stdin, 'data').then(() => 'told');
  const until = Promise.race([told, talk.ended]);
  let isOver = false;
  void until.then(() => {
    isOver = true;
  });
  let reported = 0;
  for (let number = 0; !isOver; number++) {
    await talk.say(`ping.${number}`);
    const { answered } = talk.replies;
    if (answered >= reported + 10) {
      print({ answered });
      reported = answered;
    }
    await Promise.race([delay(20), until]);
  }
  const ending = (await until) === 'told' ? await talk.end() : 'broken';
  const { sent, answered, error, problems } = talk.replies;
  print({ ending, sent, answered, error, problems });
}

async function listen(): Promise<void> {
  const talk = open(await dial(first, undefined, host), 'listen');
  await talk.say('listen.0');
  while (talk.socket.bytesRead === 0) await delay(5);
  print({ listening: true });
  const ending = await talk.ended;
  print({ ending, error: talk.replies.error });
}

await (mode === 'talk' ? talkToAll : mode === 'ping' ? ping : listen)();
process.exit(0);
