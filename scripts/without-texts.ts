/**
 * Leaves out texts that only documents and the command line need: what each option is for, its unit, what its 0 means, and what each
 * error code means. Pages would load them for nothing.
 */
import type { Plugin } from 'rolldown';

/** The properties with such texts, in the tables of these files. */
const texts: readonly (readonly [file: RegExp, property: RegExp])[] = [
  [/\/src\/client-options\.ts$/, /\b(summary|reason|kind|off):\s*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"),?/g],
  [/\/src\/errors\.ts$/, /^( {2}YODEL_[A-Z0-9_]+):\s*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")/gm],
];

/** For rolldown: removes them. Everything else stays in its place, for the source map. */
export const withoutTexts: Plugin = {
  name: 'without-texts',
  transform(code, id) {
    const [, property] = texts.find(([file]) => file.test(id)) ?? [];
    if (!property) return null;
    // A code is still a property of its table, and 0 is still allowed. No unit is that of rates or choices, whose checks differ.
    const short = (name: string) => (name.startsWith(' ') ? `${name}: 0` : name === 'off' ? `off: '0',` : '');
    const replaced = code.replaceAll(
      property,
      (found, name: string) => short(name) + blanks(found.slice(short(name).length)),
    );
    return { code: replaced, map: null };
  },
};

function blanks(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ');
}
