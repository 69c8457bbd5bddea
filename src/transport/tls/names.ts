/** The names in certificates. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: these would break the line that the name is printed in
const controls = /[\0-\x1f\x7f]/g;

/** `CN=ada,O=Example`, escaped as in RFC 4514, the most specific part first. @param name as `node:tls` returns it */
export function distinguishedName(name: object): string {
  const escaped = (value: string) =>
    value
      .replace(/[\\,+"<>;=]|^[ #]| $/g, '\\$&')
      .replace(controls, (control) => `\\${control.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
  return Object.entries(name as Record<string, string | string[]>)
    .reverse()
    .flatMap(([part, values]) => [values].flat().map((value) => `${part}=${escaped(value)}`))
    .join(',');
}
