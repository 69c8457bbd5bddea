/** A strict HTML parser for tests: it rejects what a browser would silently repair. */

/** A tag that opens an element, with its attributes. */
export interface Tag {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A parsed page. */
export interface ParsedPage {
  /** All opening tags, in order. */
  readonly tags: readonly Tag[];
  /** The text between tags, with entities resolved, without the style sheet. */
  readonly text: string;
  readonly style: string;
}

const voidElements = new Set(['meta', 'br', 'hr']);
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** @throws Error for an element that is not closed in order, an unquoted attribute, or a character that is not escaped */
export function parsePage(html: string): ParsedPage {
  const start = '<!doctype html>\n';
  if (!html.startsWith(start)) throw new Error('no doctype');
  const tags: Tag[] = [];
  const open: string[] = [];
  let text = '';
  let style = '';
  const token = /<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z-]+="[^"<>]*")*)(\/?)>|([^<]+)/gy;
  token.lastIndex = start.length;
  while (token.lastIndex < html.length) {
    const at = token.lastIndex;
    const found = token.exec(html);
    if (!found) throw new Error(`cannot be read: ${html.slice(at, at + 80)}`);
    const [, closing, name, attributes = '', selfClosing, characters] = found;
    if (characters !== undefined) {
      if (open.at(-1) === 'style') style += characters;
      else text += resolve(characters);
    } else if (name !== undefined && closing) {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing at ${at}`);
    } else if (name !== undefined) {
      tags.push({ name, attributes: readAttributes(attributes) });
      if (!selfClosing && !voidElements.has(name)) open.push(name);
    }
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(' ')}`);
  return { tags, text, style };
}

function readAttributes(text: string): Record<string, string> {
  const all = [...text.matchAll(/ ([a-zA-Z-]+)="([^"]*)"/g)];
  return Object.fromEntries(all.map(([, name = '', value = '']) => [name, resolve(value)]));
}

function resolve(text: string): string {
  return text.replace(/&([^;]*;?)/g, (_, entity: string) => {
    const sign = entity.endsWith(';') ? entities[entity.slice(0, -1)] : undefined;
    if (sign === undefined) throw new Error(`not escaped: &${entity}`);
    return sign;
  });
}
