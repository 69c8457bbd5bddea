/** Which peers may connect, by address, number and rate. */
import { describe, expect, it, test } from 'vitest';
import { TcpAddress, UnixAddress } from '../../src/address.ts';
import { Admission, type AdmissionRules } from '../../src/server/admission.ts';
import { AddressList } from '../../src/transport/address-list.ts';

function admission(rules: Partial<AdmissionRules>): Admission {
  return new Admission({ allow: undefined, deny: undefined, perAddress: 0, rate: 0, ...rules });
}

const list = (...entries: string[]) => new AddressList('allow', entries);
const from = (host: string) => new TcpAddress(host, 1234);

test('without rules every peer may connect', () => {
  expect(admission({}).admit(from('192.0.2.7'), 0)).toBeUndefined();
});

test('with "allow" only listed peers may connect, and "deny" overrides it', () => {
  const rules = admission({ allow: list('10.0.0.0/8'), deny: list('10.0.0.9') });
  expect(rules.admit(from('10.1.2.3'), 0)).toBeUndefined();
  expect(rules.admit(from('10.0.0.9'), 0)).toMatchObject({
    code: 'YODEL_ADDRESS_DENIED',
    message: 'connections from 10.0.0.9 are not allowed',
  });
  expect(rules.admit(from('192.0.2.7'), 0)).toMatchObject({ code: 'YODEL_ADDRESS_DENIED' });
  expect(rules.admit(from('unknown'), 0)).toMatchObject({ code: 'YODEL_ADDRESS_DENIED' });
  expect(rules.admit(new UnixAddress('/tmp/x'), 0)).toBeUndefined();
});

describe('connections from one address', () => {
  it('are counted, and closing one makes space for another', () => {
    const rules = admission({ perAddress: 2 });
    expect([1, 2, 3].map(() => rules.admit(from('192.0.2.7'), 0)?.code)).toEqual([
      undefined,
      undefined,
      'YODEL_TOO_MANY_CONNECTIONS',
    ]);
    expect(rules.admit(from('192.0.2.8'), 0)).toBeUndefined();
    rules.release(from('192.0.2.7'), 0);
    expect(rules.admit(from('192.0.2.7'), 0)).toBeUndefined();
    expect(rules.admit(from('192.0.2.7'), 0)?.code).toBe('YODEL_TOO_MANY_CONNECTIONS');
  });

  it('of IPv6 are counted by its first 64 bits, however it is written', () => {
    const rules = admission({ perAddress: 1 });
    expect(rules.admit(from('2001:db8:0:1::1'), 0)).toBeUndefined();
    for (const same of ['2001:db8:0:1:ffff::2', '2001:0db8:0000:0001:0:0:0:3', '2001:db8:0:1::192.0.2.1']) {
      expect(rules.admit(from(same), 0)?.code).toBe('YODEL_TOO_MANY_CONNECTIONS');
    }
    for (const other of ['2001:db8:0:2::1', '2001:db8::1', '::1', '::']) {
      const code = rules.admit(from(other), 0)?.code;
      expect(code).toBe(other === '::' ? 'YODEL_TOO_MANY_CONNECTIONS' : undefined);
    }
  });

  it('are limited to the configured rate, with a burst of one second', () => {
    const rules = admission({ rate: 2 });
    const codes = (now: number, count: number) =>
      Array.from({ length: count }, () => rules.admit(from('192.0.2.7'), now)?.code ?? 'in');
    expect(codes(0, 3)).toEqual(['in', 'in', 'YODEL_CONNECTION_RATE']);
    expect(codes(500, 2)).toEqual(['in', 'YODEL_CONNECTION_RATE']);
    expect(codes(10_000, 3)).toEqual(['in', 'in', 'YODEL_CONNECTION_RATE']);
    expect(rules.admit(from('192.0.2.8'), 10_000)).toBeUndefined();
  });
});

it('connections that end at once still count towards the rate', () => {
  const rules = admission({ rate: 10 });
  let admitted = 0;
  for (let each = 0; each < 60; each++) {
    if (rules.admit(from('192.0.2.7'), each * 10)) continue;
    admitted++;
    rules.release(from('192.0.2.7'), each * 10);
  }
  // The burst, and one for each tenth of the 0.6 seconds.
  expect(admitted).toBeGreaterThanOrEqual(15);
  expect(admitted).toBeLessThanOrEqual(16);
});

it('new rules apply from then on, and count the open connections', () => {
  const rules = admission({ perAddress: 1 });
  expect(rules.admit(from('192.0.2.7'), 0)).toBeUndefined();
  rules.reload({ allow: undefined, deny: list('192.0.2.9'), perAddress: 2, rate: 0 });
  expect(rules.admit(from('192.0.2.9'), 0)?.code).toBe('YODEL_ADDRESS_DENIED');
  expect(rules.admit(from('192.0.2.7'), 0)).toBeUndefined();
  expect(rules.admit(from('192.0.2.7'), 0)?.code).toBe('YODEL_TOO_MANY_CONNECTIONS');
});

it('a hundred thousand addresses without connections are removed', () => {
  const rules = admission({ rate: 1 });
  for (let each = 0; each < 100_000; each++) {
    const address = from(`10.${each & 255}.${(each >> 8) & 255}.${each >> 16}`);
    rules.admit(address, each * 10);
    rules.release(address, each * 10);
  }
  expect(rules.known).toBeLessThanOrEqual(1024);
});
