/** What is reported of certificates that expire. */
import { expect, onTestFinished, test } from 'vitest';
import { ExpiryWatch, firstExpiry } from '../../../../src/cli/serve/tls/expiry.ts';
import { selfSignedCertificate } from '../../../../src/cli/serve/tls/self-signed.ts';
import type { ServerTls } from '../../../../src/transport/transport.ts';

const hour = 3_600_000;
const day = 24 * hour;
const year = selfSignedCertificate(['year'], 365 * day);
const short = selfSignedCertificate(['short'], day);
const issued = firstExpiry(short) - day;
const date = (time: number) => `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** A watch whose time the test sets, and what it has reported. */
function watchAt(start: number, tls: ServerTls) {
  let now = start;
  const reported: string[] = [];
  const watch = new ExpiryWatch(
    (text) => reported.push(text),
    () => now,
  );
  onTestFinished(() => watch.close());
  watch.watch(tls);
  return {
    watch,
    /** What is reported until then, looking every hour. */
    until(then: number): string[] {
      for (; now < then; now += hour) watch.look();
      now = then;
      watch.look();
      return reported.splice(0);
    },
  };
}

test('a certificate of a year is reported once a day from two weeks before its end, and after it', () => {
  const end = firstExpiry(year);
  const { until } = watchAt(end - 16 * day, year);
  const what = 'the certificate CN=year (--cert)';
  expect(until(end - 14 * day - hour)).toEqual([]);
  const early = until(end - hour);
  expect(early).toHaveLength(14);
  expect(early[0]).toBe(`${what} expires on ${date(end)}, in 13 days: renew it`);
  expect(early[13]).toBe(`${what} expires on ${date(end)}, in less than a day: renew it`);
  expect(until(end + hour)).toEqual([`${what} expired on ${date(end)}: clients refuse it`]);
  expect(until(end + 3 * day)).toHaveLength(3);
});

test('one of a day is reported when a fifth of it is left', () => {
  const { until } = watchAt(issued, short);
  expect(until(issued + 19 * hour)).toEqual([]);
  expect(until(issued + 23 * hour)).toEqual([
    `the certificate CN=short (--cert) expires on ${date(issued + day)}, in less than a day: renew it`,
  ]);
});

test('every certificate is reported when it is given, with its flag', () => {
  const { watch, until } = watchAt(issued + 2 * day, {
    ...year,
    sni: { 'a.example.org': short },
    clientCa: short.cert,
  });
  const lines = [
    `the certificate CN=short (--sni a.example.org) expired on ${date(issued + day)}: clients refuse it`,
    `the authority CN=short (--client-ca) expired on ${date(issued + day)}: clients with its certificates are refused`,
  ];
  expect(until(issued + 2 * day)).toEqual(lines);
  watch.watch({ ...short });
  expect(until(issued + 2 * day)).toEqual([lines[0]?.replace('--sni a.example.org', '--cert')]);
});

test('one that is not valid yet is reported once', () => {
  const { until } = watchAt(issued - 3 * day, short);
  expect(until(issued + hour)).toEqual([
    `the certificate CN=short (--cert) is not valid before ${date(issued)}: clients refuse it until then`,
  ]);
});

test('a chain is reported where one of its certificates expires', () => {
  const { until } = watchAt(issued + 2 * day, { ...year, cert: year.cert + short.cert });
  expect(until(issued + 2 * day)).toEqual([
    `the certificate CN=short (--cert) expired on ${date(issued + day)}: clients refuse it`,
  ]);
});
