/** HTML and SVG as text, in which nothing can stand unescaped by mistake. */
import { escapeText } from '../terminal/escape.ts';

/** What is HTML already. Only {@link html} and {@link trustedMarkup} make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: strings are escaped, lists are joined, undefined is nothing. */
export type Content = Markup | string | number | undefined | readonly Content[];

/**
 * A template of HTML: all that is put into it is escaped, for elements as for attributes in quotes, but for what comes from
 * another such template. What could hide or reorder text is shown as in a terminal: `\u202e`.
 */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.reduce((text, part, index) => `${text}${asHtml(contents[index - 1])}${part}`));
}

/** Text of this program's own that is HTML or CSS already. Nothing from outside may come in here. */
export function trustedMarkup(text: string): Markup {
  return new Markup(text);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function asHtml(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'number') return String(content);
  if (typeof content === 'string') return escapeText(content).replace(/[&<>"']/g, (sign) => entities[sign] ?? '');
  return content.map(asHtml).join('');
}
