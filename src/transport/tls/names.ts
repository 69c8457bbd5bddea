/** The names in certificates. */

/** `CN=ada,O=Example`, escaped as in RFC 4514, the most specific part first. @param name as `node:tls` returns it */
export function distinguishedName(name: object): string {
  const escaped = (value: string) => value.replace(/[\\,+"<>;=]|^[ #]| $/g, '\\$&');
  return Object.entries(name as Record<string, string | string[]>)
    .reverse()
    .flatMap(([part, values]) => [values].flat().map((value) => `${part}=${escaped(value)}`))
    .join(',');
}
