/** HTML and SVG as text, with everything that is put into a template escaped. */
import { escapeText } from '../terminal/escape.ts';

/** Text that is HTML already. Only {@link html} and {@link trustedMarkup} create it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: strings are escaped, lists are joined, undefined is nothing. */
export type Content = Markup | string | number | undefined | readonly Content[];

/** An HTML template. Everything put into it is escaped for elements and quoted attributes, except other markup. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.reduce((text, part, index) => `${text}${asHtml(contents[index - 1])}${part}`));
}

/** Marks yodel's own text as HTML or CSS. Never pass text from outside. */
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

/** Text for HTML or XML. Control characters, and what hides or reorders text, show as in a terminal: `\u202e`. */
export function escapeMarkup(text: string): string {
  return escapeText(text).replace(/[&<>"']/g, (sign) => entities[sign] ?? '');
}

function asHtml(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'number') return String(content);
  if (typeof content === 'string') return escapeMarkup(content);
  return content.map(asHtml).join('');
}
