/** A message whose rest has not arrived. */
export interface UnfinishedMessage {
  /** Bytes of its frame that have arrived. */
  readonly size: number;
  /**
   * The beginning of its payload. A view, valid until more arrives. Undefined where it cannot be read before the end, as with
   * escapes or a length of variable size.
   */
  readonly bytes: Uint8Array | undefined;
}
