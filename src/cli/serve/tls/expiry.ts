/** Warns of certificates that have expired, are not valid yet, or expire soon. */
import { X509Certificate } from 'node:crypto';
import { formatPlural } from '../../../format/figures.ts';
import { escapeText } from '../../../terminal/escape.ts';
import type { ServerTls } from '../../../transport/transport.ts';
import type { Notify } from '../outputs.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/**
 * Certificates are usually renewed when a third of their lifetime is left. When only a fifth is left, that has failed; a year's
 * certificate is early enough with two weeks.
 */
const lastPart = 1 / 5;
const soonMs = 14 * dayMs;
/** How often they are looked at. A warning is repeated once a day. */
const lookEveryMs = hourMs;

/** A certificate that should be replaced. */
interface Problem {
  /** What to print. */
  readonly text: string;
  /** Changes when the problem should be reported again. */
  readonly state: string;
}

/** Reports certificates that should be replaced: when they are given, and later once a day. Ends with {@link close}. */
export class ExpiryWatch {
  readonly #notify: Notify;
  readonly #now: () => number;
  readonly #looking: NodeJS.Timeout;
  #tls: ServerTls | undefined;
  /** The states that were reported. */
  #reported = new Set<string>();

  /** @param now the time of day in milliseconds since 1970 */
  constructor(notify: Notify, now: () => number = Date.now) {
    this.#notify = notify;
    this.#now = now;
    this.#looking = setInterval(() => this.look(), lookEveryMs).unref();
  }

  /** From now on watches these certificates, and reports what is wrong with them already. */
  watch(tls: ServerTls | undefined): void {
    this.#tls = tls;
    this.#reported = new Set();
    this.look();
  }

  /** Reports what has changed since the last time. */
  look(): void {
    const problems = this.#tls ? problemsOf(this.#tls, this.#now()) : [];
    for (const { text, state } of problems) if (!this.#reported.has(state)) this.#notify(text);
    this.#reported = new Set(problems.map(({ state }) => state));
  }

  close(): void {
    clearInterval(this.#looking);
  }
}

/** When the first certificate that a server presents expires, in milliseconds since 1970. */
export function firstExpiry({ cert, sni = {} }: ServerTls): number {
  const all = [cert, ...Object.values(sni).map((pair) => pair.cert)].flatMap(certificatesIn);
  return Math.min(...all.map(({ validTo }) => Date.parse(validTo)));
}

function problemsOf({ cert, sni = {}, clientCa = '' }: ServerTls, now: number): Problem[] {
  const presented = [
    ...certificatesIn(cert).map((certificate) => ({ certificate, flag: '--cert' })),
    ...Object.entries(sni).flatMap(([name, pair]) =>
      certificatesIn(pair.cert).map((certificate) => ({ certificate, flag: `--sni ${name}` })),
    ),
  ];
  const authorities = certificatesIn(clientCa).map((certificate) => ({ certificate, flag: '--client-ca' }));
  return [
    ...presented.map((one) => problemOf(one.certificate, `the certificate ${namesOf(one)}`, 'clients refuse it', now)),
    ...authorities.map((one) =>
      problemOf(one.certificate, `the authority ${namesOf(one)}`, 'clients with its certificates are refused', now),
    ),
  ].filter((problem) => problem !== undefined);
}

function problemOf(
  { validFrom, validTo, fingerprint256 }: X509Certificate,
  what: string,
  consequence: string,
  now: number,
): Problem | undefined {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  const problem = (state: string, text: string) => ({ text: `${what} ${text}`, state: `${fingerprint256} ${state}` });
  if (now < from) return problem('early', `is not valid before ${timeOf(from)}: ${consequence} until then`);
  if (now >= to) {
    const days = Math.floor((now - to) / dayMs);
    return problem(`expired ${days}`, `expired on ${timeOf(to)}: ${consequence}`);
  }
  if (to - now >= Math.min(soonMs, (to - from) * lastPart)) return undefined;
  const days = Math.floor((to - now) / dayMs);
  const left = days > 0 ? formatPlural(days, 'day') : 'less than a day';
  return problem(`soon ${days}`, `expires on ${timeOf(to)}, in ${left}: renew it`);
}

function certificatesIn(pem: string): X509Certificate[] {
  const texts = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return texts.map((text) => new X509Certificate(text));
}

function namesOf({ certificate, flag }: { certificate: X509Certificate; flag: string }): string {
  return `${escapeText((certificate.subject ?? '').replaceAll('\n', ', '))} (${flag})`;
}

/** `2026-01-31 12:34 UTC`. */
function timeOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
