/** Puts packets together that were too long for the broker. */
import type { Piece } from './packets.ts';

interface Unfinished {
  readonly packet: number;
  readonly pieces: Buffer[];
  size: number;
}

/** The memory for all unfinished packets, in bytes. Each message is in memory as a whole when it is sent, and when it arrives. */
const capacity = 67_108_864;

/** The unfinished packets of all nodes: at most one of each, for pieces come in order. */
export class Puzzle {
  readonly #unfinished = new Map<string, Unfinished>();
  #size = 0;

  /** @returns the packet, if this was its last piece. One whose pieces are not all there is dropped. */
  add(node: string, { packet, piece, pieces, bytes }: Piece): Buffer | undefined {
    if (piece === 0) {
      this.forget(node);
      this.#unfinished.set(node, { packet, pieces: [], size: 0 });
    }
    const unfinished = this.#unfinished.get(node);
    if (!unfinished) return undefined;
    const isNext = unfinished.packet === packet && unfinished.pieces.length === piece && piece < pieces;
    if (!isNext || !this.#hasSpaceFor(bytes.length, node)) {
      this.forget(node);
      return undefined;
    }
    unfinished.pieces.push(bytes);
    unfinished.size += bytes.length;
    this.#size += bytes.length;
    if (piece + 1 < pieces) return undefined;
    this.forget(node);
    return Buffer.concat(unfinished.pieces);
  }

  /** Those that were begun first have stopped to come, or take too long: they make space. */
  #hasSpaceFor(size: number, node: string): boolean {
    for (const [other] of this.#unfinished) {
      if (this.#size + size <= capacity) break;
      if (other !== node) this.forget(other);
    }
    return this.#size + size <= capacity;
  }

  forget(node: string): void {
    this.#size -= this.#unfinished.get(node)?.size ?? 0;
    this.#unfinished.delete(node);
  }
}
