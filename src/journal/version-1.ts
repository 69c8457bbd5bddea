/** Rows of journals of version 1, which had one column, `shape`, for headers, kinds and endings alike. */
import type { MessageKind } from '../framing/message-parts.ts';

/**
 * The framing by its current name: `inclusive` with an offset counted all bytes of the frame.
 */
export function framingOfVersion1(name: string): string {
  return /^length:.*\boffset=/.test(name) ? name.replace(',inclusive', ',counts=frame') : name;
}

/** The parts of a message, which are told apart by its framing. */
export function partsOfVersion1(
  framing: string,
  shape: Uint8Array | null,
): { readonly header: Uint8Array | null; readonly kind: MessageKind | null; readonly ending: Uint8Array | null } {
  if (framing === 'websocket') {
    const kind = shape?.[0] === 1 ? 'text' : shape?.[0] === 2 ? 'binary' : null;
    return { header: null, kind, ending: null };
  }
  const [, offset] = /^length:.*\boffset=(\d+)/.exec(framing) ?? [];
  if (offset === undefined) return { header: null, kind: null, ending: shape };
  // Zeros were not recorded.
  return { header: shape ?? new Uint8Array(Number(offset)), kind: null, ending: null };
}
