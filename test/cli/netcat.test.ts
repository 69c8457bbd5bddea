import { describe, expect, test } from 'vitest';
import { addressAdvice, netcatAdvice } from '../../src/cli/netcat.ts';

/** What is suggested for a command line whose first unknown flag is given. */
function adviceFor(flag: string, line: string): string | undefined {
  const words = line === '' ? [] : line.split(' ');
  const [first = ''] = words;
  return netcatAdvice(flag, words, /^(serve|connect|send|bench)$/.test(first) ? first : undefined);
}

describe('a flag of netcat is answered with what to write instead', () => {
  test.each([
    ['-l', '-l 7878', 'yodel serve --listen :7878'],
    ['-lk', '-lk 127.0.0.1 7878', 'yodel serve --listen 127.0.0.1:7878'],
    ['-lvnp', '-lvnp 4444', 'yodel serve --listen :4444'],
    ['-l', 'connect -l -p 80 -e /bin/cat', 'yodel serve exec:/bin/cat --listen :80'],
    ['--listen', '--listen 80 --sh-exec=cat --max-conns 5', 'yodel serve exec:cat --listen :80 --max-connections 5'],
    ['-lU', '-lU /tmp/x.sock', 'yodel serve --listen unix:///tmp/x.sock'],
    ['-l', 'serve -l 7878', 'yodel serve --listen :7878'],
    ['-k', 'serve exec:cat -k', 'yodel serve exec:cat'],
    ['-l', '-l', 'yodel serve --listen :PORT'],
    ['-l', '-l :7878', 'yodel serve --listen :7878'],
    ['-l', 'connect -l localhost:7878', 'yodel serve --listen localhost:7878'],
    ['-q', 'connect -q 1 host 80', 'yodel connect host 80 --wait 1s'],
    ['-q', 'connect -q -1 host 80', 'yodel connect host 80 --wait 0'],
    ['-N', 'connect -N host 80', 'yodel connect host 80'],
    ['-d', 'connect -d host 80', 'yodel connect host 80 < /dev/null'],
    ['--send-only', 'connect --send-only host 80', 'yodel connect host 80 > /dev/null'],
    ['-4', 'connect -4 host 80', 'yodel connect host 80'],
    ['-zvn', '-zvn -w3 host 80', 'yodel connect host 80 -z -v -w 3'],
    ['-C', '-C host 25', 'yodel connect host 25 -C'],
    ['-U', 'connect -U /tmp/x.sock', 'yodel connect unix:///tmp/x.sock'],
    ['-i', 'connect -i 2 a;b 80', "yodel connect 'a;b' 80 --interval 2s"],
  ])('%s in "%s": %s', (flag, line, expected) => {
    expect(adviceFor(flag, line)?.replace(/^.*Write: /, '')).toBe(expected);
  });
});

test('what yodel cannot do is said without a command line that would do something else', () => {
  expect(adviceFor('-u', 'connect -u host 53')).toBe('yodel speaks TCP, not UDP');
  expect(adviceFor('--udp', '--udp host 53')).toBe('yodel speaks TCP, not UDP');
  expect(adviceFor('-e', 'connect -e /bin/sh host 80')).toMatch(/runs no program.*: yodel serve exec:COMMAND$/);
  expect(adviceFor('-r', 'send -r 3 :80 PING')).toContain('--repeat N');
  expect(adviceFor('-q', 'send -q 1 :80 hello')).not.toContain('Write:');
  // Its other flags are not netcat's, so it cannot be translated.
  expect(adviceFor('-N', 'connect --framing lines -N host 80')).not.toContain('Write:');
});

test('other flags and commands are left to the usual error', () => {
  expect(adviceFor('-j', 'connect -j host 80')).toBeUndefined();
  expect(adviceFor('--lisen', 'serve --lisen :0')).toBeUndefined();
  expect(adviceFor('--exec', 'serve --exec')).toBeUndefined();
  expect(adviceFor('-l', 'bench -l')).toBeUndefined();
});

test('a host and a port instead of a command are one to connect to', () => {
  expect(addressAdvice(['host', '80'])).toBe('yodel connect host 80');
  expect(addressAdvice(['example.org:80', '-z'])).toBe('yodel connect example.org:80 -z');
  expect(addressAdvice(['unix:/tmp/x'])).toBe('yodel connect unix:/tmp/x');
  expect(addressAdvice(['srve'])).toBeUndefined();
});
