/** The table of protocols in docs/protocols.md. */
import { parseFraming } from '../src/framing/notation.ts';
import { type NamedProtocol, protocols } from '../src/framing/protocols/protocols.ts';

const begin = '<!-- protocols -->\n';
const end = '<!-- /protocols -->';

/** The page with the current table between its marks. */
export function withProtocols(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from === -1 || to === -1) throw new Error('docs/protocols.md has no place for the table of protocols');
  const rows = protocols.map(
    (one) => `| \`${one.name}\` | ${one.about} | ${framingOf(one)} | ${one.greeting ?? ''} |\n`,
  );
  const head = '\n| Name | Messages | Framing | Greetings |\n|---|---|---|---:|\n';
  return `${page.slice(0, from)}${begin}${head}${rows.join('')}\n${page.slice(to)}`;
}

function framingOf({ framing, replyFraming }: NamedProtocol): string {
  const [requests, replies] = [framing, replyFraming].map(({ name }) => (isKnown(name) ? `\`${name}\`` : 'its own'));
  return requests === replies ? (requests as string) : `${requests}, ${replies}`;
}

/** Whether the name is the text form of a framing. */
function isKnown(name: string): boolean {
  try {
    parseFraming(name);
    return true;
  } catch {
    return false;
  }
}
