import { expect, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { HostNames } from '../../src/metrics/hosts.ts';

function names(host: string, ...more: string[]): HostNames {
  return new HostNames(new TcpAddress(host, 9100), more);
}

test.each([
  ['127.0.0.1:9100'],
  ['127.0.0.1'],
  ['127.1.2.3:1'],
  ['localhost:9100'],
  ['LOCALHOST'],
  ['localhost.'],
  ['app.localhost:9100'],
  ['[::1]:9100'],
  ['[::1]'],
  // A program that is no browser.
  [undefined],
])('%s is this machine, wherever it listens', (host) => {
  for (const at of ['127.0.0.1', '::1', '0.0.0.0', '10.1.2.3', 'metrics.example.org']) {
    expect(names(at).allows(host)).toBe(true);
  }
});

test.each([
  ['evil.example'],
  ['evil.example:9100'],
  ['localhost.evil.example'],
  ['127.0.0.1.evil.example'],
  ['127.0.0.1@evil.example'],
  ['evil.example:9100:9100'],
  ['[evil.example]'],
  ['notlocalhost'],
  [''],
  ['*'],
])('%j is another machine, wherever it listens', (host) => {
  for (const at of ['127.0.0.1', '::1', '0.0.0.0', '10.1.2.3'])
    expect(names(at, 'mine.example').allows(host)).toBe(false);
});

test('the name of the address is allowed, and further names are, in any case', () => {
  expect(names('metrics.example.org').allows('Metrics.Example.org:9100')).toBe(true);
  expect(names('127.0.0.1', 'Mine.example').allows('mine.EXAMPLE:9100')).toBe(true);
  expect(names('127.0.0.1', '*').allows('evil.example')).toBe(true);
});

test('an IP address is no name that a page can take: it is allowed unless only loopback is served', () => {
  for (const host of ['192.0.2.7:9100', '[2001:db8::7]:9100']) {
    expect(names('0.0.0.0').allows(host)).toBe(true);
    expect(names('10.1.2.3').allows(host)).toBe(true);
    expect(names('127.0.0.1').allows(host)).toBe(false);
  }
});
