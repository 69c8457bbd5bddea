import { describe, expect, it } from 'vitest';
import { raw } from '../../src/framing/raw.ts';
import { fc } from '../support/fast-check.ts';
import { anyChunking, cut } from './chunking.ts';
import { decodeAll, messageEvents } from './outcome.ts';
import { anyLimit } from './subjects.ts';

describe('raw', () => {
  it('makes a message of each chunk, and several of a chunk above the limit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), anyChunking, anyLimit, (bytes, chunking, limit) => {
        const chunks = cut(bytes, chunking);
        const outcome = decodeAll(raw(), { maxMessageLength: limit, onTooLong: 'close', encoding: 'binary' }, chunks);
        const messages = chunks.flatMap((chunk) => cut(chunk, [limit]));
        expect(outcome).toMatchObject({ events: [...messageEvents(messages), 'end'], pending: 0 });
      }),
    );
  });

  it('refuses to check text, with the reason', () => {
    expect(() => raw().createDecoder({ maxMessageLength: 9, onTooLong: 'close', encoding: 'utf8' })).toThrow(
      expect.objectContaining({
        code: 'YODEL_INVALID_OPTION',
        message:
          'the framing "raw" cannot check text, because its chunks may end inside a character; use the encoding "binary", or the framing "lines"',
      }),
    );
  });
});
