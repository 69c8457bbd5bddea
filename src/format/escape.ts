/** Text from a peer, made visible: nothing in it can move the cursor, change colours, reorder text or hide. */

// By Unicode property, so that no list has to be kept: control, format, private, unassigned and half characters; what fonts
// draw as nothing (joiners, fillers, variation selectors, tags, the soft hyphen); and every space but the usual one. Five are
// blank and have no such property: a Braille pattern without dots, a filler of Khitan, a selector of Duployan, a joiner of
// Brahmi numbers, a note without a head. Whole runs of them, because a call for each character would cost 100 ns, which a
// peer can cause. With /v, Bun compiles this in 20 ms; with /u in less than 1.
const unsafe =
  /(?:[\p{C}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\p{Bidi_Control}\u2800\u{16fe4}\u{1bc9d}\u{1107f}\u{1d159}]|(?! )\p{Z})+/gu;

const letters: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' };

/** Most text is printable ASCII, of which nothing is unsafe: it is recognized in half the time. */
const beyondPlain = /[^ -~]/;

/** What joins the parts of an emoji, and the letters of some scripts. It is invisible, but controls nothing. */
const joiners = /^(?:\ufe0f?[\u200c\u200d]|[\ufe0e\ufe0f])$/;

/**
 * Replaces every unsafe character with an escape: `\n`, `\x1b`, `\u202e`. Also the joiners and variation selectors of emoji,
 * because the same characters make texts that look alike differ. For names and logs.
 */
export function escapeText(text: string): string {
  return beyondPlain.test(text) ? text.replace(unsafe, escapeRun) : text;
}

/** As {@link escapeText}, but joiners after a visible character stay: for what people write to each other. */
export function escapeProse(text: string): string {
  if (!beyondPlain.test(text)) return text;
  return text.replace(unsafe, (run, at: number) => (at > 0 && joiners.test(run) ? run : escapeRun(run)));
}

/** Writes every unsafe character in JSON as `\uXXXX`, which means the same. */
export function escapeJson(json: string): string {
  return beyondPlain.test(json) ? json.replace(unsafe, escapeJsonRun) : json;
}

function escapeRun(run: string): string {
  let text = '';
  for (const character of run) {
    const point = character.codePointAt(0) as number;
    text += shortEscapes[point] ?? (point < 0x10000 ? `\\u${fourDigits(point)}` : `\\u{${point.toString(16)}}`);
  }
  return text;
}

function escapeJsonRun(run: string): string {
  let text = '';
  for (let at = 0; at < run.length; at++)
    text += jsonEscapes[run.charCodeAt(at)] ?? `\\u${fourDigits(run.charCodeAt(at))}`;
  return text;
}

function fourDigits(point: number): string {
  return point.toString(16).padStart(4, '0');
}

/** The escapes of the characters below U+0100, made once: a peer can cause many. */
const below0x100 = Array.from({ length: 0x100 }, (_, point) => point);
const jsonEscapes: readonly string[] = below0x100.map((point) => `\\u${fourDigits(point)}`);
const shortEscapes: readonly string[] = below0x100.map(
  (point) => letters[String.fromCharCode(point)] ?? `\\x${point.toString(16).padStart(2, '0')}`,
);
