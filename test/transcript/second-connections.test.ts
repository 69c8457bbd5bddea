/** `@connect NAME ADDRESS` and `@starttls`, as `check` plays them. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import { check } from '../../src/transcript/check.ts';
import { formatFtpAddress } from '../../src/transcript/destination.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { updatedText } from '../../src/transcript/update.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import type { Connection } from '../../src/transport/transport.ts';
import { UpgradableConnection } from '../../src/transport/upgradable.ts';

const tls = selfSignedCertificate(['localhost'], 86_400_000);

/** Serves whole lines. `take` answers each of them. Resolves with the address. */
async function serveLines(
  take: (line: string, say: (text: string) => void, connection: UpgradableConnection) => void,
  greet: (connection: Connection) => void = () => undefined,
): Promise<TcpAddress> {
  const accept = (accepted: Connection) => {
    const connection = new UpgradableConnection(accepted);
    let text = '';
    connection.start({
      onData(chunk) {
        text += Buffer.from(chunk).toString();
        for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
          const line = text.slice(0, end).trimEnd();
          text = text.slice(end + 1);
          take(line, (reply) => connection.write(Buffer.from(reply)), connection);
        }
      },
      onEnd: () => connection.end(),
      onDrain: () => undefined,
      onClose: () => undefined,
    });
    greet(connection);
  };
  const options = { backlog: 9, accept, failed: () => undefined };
  const listener = await runtimeTransport.listen(new TcpAddress('127.0.0.1', 0), options);
  onTestFinished(() => listener.close());
  return listener.address as TcpAddress;
}

async function differences(text: string, address: TcpAddress, insecure = true): Promise<string[]> {
  const transcript = parseTranscript(text, 'a.transcript');
  const result = await check(transcript, { address, timeoutMs: 2000, tls: { insecure } });
  return result.differences.map(({ line, reason }) => `${line} ${reason}`);
}

/** Grants STARTTLS, then says which TLS version it has, and repeats what it gets. @param injected sent with the grant, in plain text */
function secure(injected = ''): Promise<TcpAddress> {
  return serveLines((line, say, connection) => {
    if (line !== 'STARTTLS') return say(`${connection.security?.protocol ?? 'plain'} ${line}\n`);
    say(`go\n${injected}`);
    connection.acceptTls(tls).catch(() => undefined);
  });
}

const upgrade = '> a\n< plain a\n> STARTTLS\n< go\n@starttls\n> b\n< TLSv1.3 b\n';

test('a conversation goes on over TLS', async () => {
  expect(await differences(upgrade, await secure())).toEqual([]);
});

test('the certificate is verified', async () => {
  const found = await differences(upgrade, await secure(), false);
  expect(found[0]).toMatch(
    /^5 cannot go on over TLS with tcp:\S+: its certificate is not signed by a trusted authority/,
  );
});

test('a server that does not go on over TLS is a difference', async () => {
  const plain = await serveLines((line, say) => say(line === 'STARTTLS' ? 'go\nno\n' : `plain ${line}\n`));
  expect((await differences(upgrade, plain))[0]).toMatch(/^5 /);
});

test('what comes in plain text before TLS does not count as said over it', async () => {
  // Whoever is between server and client can put this there.
  const found = await differences(upgrade, await secure('TLSv1.3 b\n'));
  expect(found[0]).toMatch(/^5 a message in plain text where TLS was expected to begin|^5 cannot go on over TLS/);
});

test.each([
  ['host and port', '{port}', (address: TcpAddress) => String(address.port), '127.0.0.1:{port}'],
  ['the notation of FTP', '({data})', (address: TcpAddress) => `(${formatFtpAddress(address)})`, '{data}'],
  ['a whole address', '{address}', String, '{address}'],
] as const)('a second connection goes where the server said: %s', async (_, expected, told, address) => {
  let say: (text: string) => void = () => undefined;
  const data = await serveLines(
    (line) => say(`got ${line}\n`),
    (connection) => connection.write(Buffer.from('x\0data\0')),
  );
  const control = await serveLines((_line, reply) => {
    say = reply;
    reply(`connect to ${told(data)}\n`);
  });
  const text = `> PASV
< connect to ${expected}
@connect data ${address} reply-framing=delimiter:\\0
data< x
data< data
data> hello
< got hello
`;
  expect(await differences(text, control)).toEqual([]);
  expect(await differences(text.replace('data< x\n', 'data< y\n'), control)).toEqual(['4 a different message']);
});

test('a second connection that is refused is an error that names the line', async () => {
  const control = await serveLines((_line, say) => say('1\n'));
  const check = differences('> PASV\n< {port}\n@connect data 127.0.0.1:{port}\ndata< x\n', control);
  await expect(check).rejects.toThrow(/^a\.transcript:3: cannot connect to tcp:\/\/127\.0\.0\.1:1: connection refused/);
});

test('a server cannot choose a program to run', async () => {
  const control = await serveLines((_line, say) => say('touch pwned\n'));
  const check = differences('> x\n< {command}\n@connect data exec:{command}\n', control);
  await expect(check).rejects.toThrow('the address of a program cannot contain names');
});

test('a second connection of a loop is opened in each round', async () => {
  const data = await serveLines((line, say) => say(`${line}\n`));
  const control = await serveLines((line, say) => say(line === 'PASV' ? `${data.port}\n` : 'done\n'));
  const text = `@repeat 3 round
> PASV
< {port}
@connect data 127.0.0.1:{port}
data> {round}
data< {round}
@close data
@closed data
> QUIT
< done
@end
`;
  expect(await differences(text, control)).toEqual([]);
});

describe.concurrent('of a transfer over a second connection, a line that is', () => {
  const talk = `@timeout 30s
main> PASV
main< at {data}
@connect data {data}
main> RETR
main< 150 open
data< hello
@closed data
main< 226 done
main> QUIT
main< 221 bye
`;
  /** Sends its data, and ends the connection a little later than its reply about it. */
  async function transfer(replies: readonly string[]): Promise<TcpAddress> {
    const waiting: Connection[] = [];
    const data = await serveLines(
      () => undefined,
      (connection) => waiting.push(connection),
    );
    return await serveLines((line, say) => {
      if (line === 'PASV') say(`at ${data}\n`);
      else if (line === 'QUIT') say('221 bye\n');
      else {
        for (const connection of waiting) connection.write(Buffer.from('hello\n'));
        say(replies.map((reply) => `${reply}\n`).join(''));
        setTimeout(() => {
          for (const connection of waiting) connection.end();
        }, 50);
      }
    });
  }

  test.each([
    ['as before', ['150 open', '226 done'], []],
    ['another one', ['125 open', '226 done'], ['6 a different message']],
    ['lost', ['226 done'], ['6 this message is missing']],
    ['gained', ['150 open', '151 more', '226 done'], ['6 an unexpected message']],
    [
      'another one and gained',
      ['125 open', '151 more', '226 done'],
      ['6 a different message', '6 an unexpected message'],
    ],
  ])('%s does not put the rest out of step', async (_, replies, wanted) => {
    const found = await differences(talk, await transfer(replies));
    expect(found).toEqual(wanted);
  });

  test('as before stays where it is in an update', async () => {
    const transcript = parseTranscript(talk, 'a.transcript');
    const result = await check(transcript, { address: await transfer(['150 open', '226 done']), settleMs: 100 });
    expect(updatedText(result)).toBe(talk);
  });
});
