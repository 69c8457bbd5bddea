import { expect, test } from 'vitest';
import { parseAddress } from '../../../src/address.ts';
import { Beginnings } from '../../../src/cli/connect/hints.ts';

function asked(address: string, input = 'hello\n'): Beginnings {
  const beginnings = new Beginnings(parseAddress(address));
  beginnings.sent(Buffer.from(input));
  return beginnings;
}

test.each([
  ['tcp://a:7000', 'TLS (tls://a:7000), a PROXY header, another protocol (is port 7000 right?)'],
  ['tcp://a:993', 'TLS, because port 993 is for IMAP over TLS (tls://a:993)'],
  ['tls://a:993', 'another protocol, a client certificate (--cert, --key)'],
  ['unix:///run/socket', 'another protocol'],
])('silence at %s may mean: %s', (address, causes) => {
  expect(asked(address).hint(false)).toMatch(/^nothing was received; if a reply was due, the server may expect /);
  const commas = (text = '') => text.replaceAll(' or ', ', ');
  expect(commas(asked(address).hint(false))).toContain(`may expect ${causes}`);
  expect(asked(address).hint(true)).toContain('or more time after the end of input (--no-shutdown)');
});

test('there is no hint where something was received, or nothing was sent, or a program was asked', () => {
  const answered = asked(':7000');
  answered.received(Buffer.from('x'));
  expect(answered.hint(true)).toBeUndefined();
  expect(new Beginnings(parseAddress(':7000')).hint(true)).toBeUndefined();
  expect(asked('exec:true').hint(true)).toBeUndefined();
});

const alert = Buffer.from('15030300020246', 'hex');

test('an alert of TLS is recognised, in any chunks', () => {
  for (let at = 0; at <= alert.length; at++) {
    const refused = asked(':7000');
    refused.received(alert.subarray(0, at));
    refused.received(alert.subarray(at));
    expect(refused.isRefusedByTls).toBe(true);
    expect(refused.tlsHint).toBe(
      'tcp://127.0.0.1:7000 answered with an alert of TLS: it expects TLS (tls://127.0.0.1:7000)',
    );
  }
});

test.each([
  ['tcp://a:1', 'hello', '150303000202'],
  ['tcp://a:1', 'hello', '1503030002024600'],
  ['tcp://a:1', 'hello', '16030300020246'],
  ['tcp://a:1', '\x16\x03\x01', '15030300020246'],
  ['tls://a:1', 'hello', '15030300020246'],
])('not at %s, for %j, the bytes %s', (address, input, bytes) => {
  const other = asked(address, input);
  other.received(Buffer.from(bytes, 'hex'));
  expect(other.isRefusedByTls).toBe(false);
});
