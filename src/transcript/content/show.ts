/** Expected content as a text for people. */
import type { Content, JsonTemplate, Part } from '../transcript.ts';

/** @param showBytes how bytes are shown */
export function showContent(content: Content, showBytes: (bytes: Uint8Array) => string): string {
  if (content.kind === 'pattern') return String(content.pattern);
  if (content.kind === 'json') return showJson(content.value);
  return content.parts.map((part) => showPart(part, showBytes)).join('');
}

/** JSON without spaces, with what stands in braces. */
export function showJson(value: JsonTemplate): string {
  switch (value.kind) {
    case 'number':
      return value.text;
    case 'word':
      return String(value.value);
    case 'string':
      return `"${value.parts.map((part) => showPart(part, showJsonText)).join('')}"`;
    case 'array':
      return `[${value.items.map(showJson).join(',')}]`;
    case 'object':
      return `{${[...value.members].map(([key, member]) => `${JSON.stringify(key)}:${showJson(member)}`).join(',')}}`;
    case 'part':
      return showPart(value.part, showJsonText);
  }
}

/** The text of a JSON string with its escapes, without quotes. */
function showJsonText(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes).toString()).slice(1, -1);
}

/** Bytes, or what stands in braces. */
export function showPart(part: Part, showBytes: (bytes: Uint8Array) => string): string {
  if (part instanceof Uint8Array) return showBytes(part);
  if ('name' in part) return `{${part.name}${part.width === undefined ? '' : `:${part.width}`}}`;
  if ('variable' in part) return `{env:${part.variable}}`;
  if ('call' in part) return `{${part.call}:${part.argument.map((one) => showPart(one, showBytes)).join('')}}`;
  const { generator } = part;
  return generator.kind === 'now'
    ? `{now:${generator.format}}`
    : `{${generator.kind}${generator.kind === 'random' ? `:${generator.size}` : ''}}`;
}
