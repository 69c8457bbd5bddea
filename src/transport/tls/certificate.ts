/** What a certificate says, read from what `node:tls` tells of it on both runtimes. */
import { isIP } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import { distinguishedName } from './names.ts';
import type { AlternativeNames, Certificate, NameFields } from './security.ts';

/** The certificate; undefined if the peer has none, for which `node:tls` has an empty object. */
export function certificateOf(told: PeerCertificate | null | undefined): Certificate | undefined {
  if (!told?.raw) return undefined;
  const { raw, serialNumber, fingerprint256, valid_from, valid_to } = told;
  const [subject, issuer] = [told.subject ?? {}, told.issuer ?? {}];
  const alternativeNames = alternativeNamesIn(told.subjectaltname);
  return {
    subject: distinguishedName(subject),
    subjectFields: fieldsOf(subject),
    issuer: distinguishedName(issuer),
    issuerFields: fieldsOf(issuer),
    names: [...alternativeNames.dns, ...alternativeNames.ip],
    alternativeNames,
    serial: serialNumber,
    validFrom: new Date(valid_from),
    validTo: new Date(valid_to),
    fingerprint: fingerprint256,
    raw,
    get pem() {
      const lines = raw.toString('base64').match(/.{1,64}/g) ?? [];
      return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
    },
  };
}

/** `node:tls` has a text for a field that occurs once, and a list for one that occurs several times. */
function fieldsOf(name: object): NameFields {
  const fields: Record<string, readonly string[]> = Object.create(null);
  for (const [field, values] of Object.entries(name as Record<string, string | string[]>))
    fields[field] = [values].flat();
  return fields;
}

const kinds: Readonly<Record<string, keyof AlternativeNames>> = {
  DNS: 'dns',
  'IP Address': 'ip',
  URI: 'uri',
  email: 'email',
};

/** One name in a list of them: anything without a comma, or in quotes, as JSON. */
const oneName = /(?:^|, )((?:"(?:[^"\\]|\\.)*"|[^",])+)/y;

/**
 * The names in a text such as `DNS:localhost, URI:"spiffe://a\u002cb"`. Since CVE-2021-44532 both runtimes write a name that has a
 * comma, a quote or a control character in quotes, so that none can pass for several. A text of any other form has no names.
 */
export function alternativeNamesIn(text: string | undefined): AlternativeNames {
  const found: Record<keyof AlternativeNames, string[]> = { dns: [], ip: [], uri: [], email: [] };
  for (const [name, value] of text === undefined ? [] : split(text)) {
    const kind = kinds[name];
    if (kind === 'ip' && isIP(value) === 6) found.ip.push(shortest(value));
    else if (kind !== undefined && (kind !== 'ip' || isIP(value) === 4)) found[kind].push(value);
  }
  return found;
}

function split(text: string): [kind: string, value: string][] {
  const names: [string, string][] = [];
  oneName.lastIndex = 0;
  for (let at = 0; at < text.length; at = oneName.lastIndex) {
    const [, name] = oneName.exec(text) ?? [];
    const colon = name?.indexOf(':') ?? -1;
    const value = name === undefined ? undefined : unquoted(name.slice(colon + 1));
    if (name === undefined || value === undefined) return [];
    names.push([name.slice(0, colon), value]);
  }
  return names;
}

/** Undefined: it is quoted, but not as JSON. */
function unquoted(value: string): string | undefined {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return undefined;
  }
}

/** `2001:db8::1`. */
function shortest(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
