/** The origins of web pages that may connect. */
import { YodelError } from '../errors.ts';

/** What is wrong with an origin that no browser sends: it would only look like permission. Undefined: nothing. */
export function originProblem(origin: string): string | undefined {
  if (origin === '*' || origin === 'null') return undefined;
  const hint = 'write a scheme and a host: https://app.example.org';
  if (origin.includes('*'))
    return `"${origin}" is not a web origin: a pattern matches nothing; name each host, or allow all with *`;
  return /^[a-z][a-z0-9+.-]*:\/\/[^/\s?#]+$/i.test(origin) ? undefined : `"${origin}" is not a web origin; ${hint}`;
}

/** The origins as browsers send them: in lower case, and without a port that is the usual one. @throws YodelError `YODEL_INVALID_OPTION` */
export function originsOf(given: readonly string[] = []): string[] {
  return given.map((origin) => {
    const problem = originProblem(origin);
    if (problem !== undefined) throw new YodelError('YODEL_INVALID_OPTION', `the option "origins": ${problem}`);
    // Of schemes that URLs know nothing of, such as those of browser extensions, it is "null".
    const sent = URL.canParse(origin) ? new URL(origin).origin : 'null';
    return sent === 'null' ? origin.toLowerCase() : sent;
  });
}
