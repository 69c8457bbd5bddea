import { expect, test } from 'vitest';
import { parseAddress } from '../../src/address.ts';
import { AddressList } from '../../src/transport/address-list.ts';

test.each([
  ['192.0.2.7', '192.0.2.7:1', true],
  ['192.0.2.7', '192.0.2.8:1', false],
  ['10.0.0.0/8', '10.255.255.255:1', true],
  ['10.0.0.0/8', '11.0.0.0:1', false],
  ['0.0.0.0/0', '203.0.113.1:1', true],
  ['0.0.0.0/0', '[2001:db8::1]:1', false],
  ['2001:db8::/32', '[2001:db8:ffff::1]:1', true],
  ['2001:db8::/32', '[2001:db9::1]:1', false],
  ['::1', '[::1]:1', true],
  ['127.0.0.0/8', 'tls://127.0.0.1:1', true],
  ['0.0.0.0/0', 'unix:///tmp/x', false],
  ['0.0.0.0/0', 'localhost:1', false],
])('%s has %s: %s', (entry, address, expected) => {
  expect(new AddressList('allow', [entry]).has(parseAddress(address))).toBe(expected);
});

test.each([
  '',
  'localhost',
  '10.0.0.0/33',
  '::/129',
  '10.0.0/8',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  'fe80::1%eth0',
  '/8',
  '10.0.0.0/-1',
])('%j is not a network', (entry) => {
  expect(() => new AddressList('allow', [entry])).toThrow(
    `the option "allow" takes IP addresses and networks such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32, not "${entry}"`,
  );
});
