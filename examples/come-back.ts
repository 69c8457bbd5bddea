// A talk that clients continue where they were. Run it with `yodel serve ./come-back.ts`; with `--journal talk.journal` or `--bus` it
// outlives the server. A client says `from 0` first, or `from POSITION` with the last position that it has seen. The rest is stored.
import { escapeText, type HandlerObject, YodelError } from 'yodel';

const talk: HandlerObject = {
  async message({ text }, session) {
    const [, since] = /^from (\S+)$/.exec(text) ?? [];
    try {
      if (since === undefined) {
        await session.server.room('talk').store(escapeText(text));
        return 'stored';
      }
      const { recovered, position } = await session.join('talk', { since, history: 10 });
      return recovered ? `complete up to ${position}` : `not complete: the last messages, up to ${position}`;
    } catch (error) {
      // Not a position, or the bus is away: the client can try again.
      if (error instanceof YodelError) return `error: ${error.message}`;
      throw error;
    }
  },
  // What clients receive of each stored message, now or later: with the position to come back with.
  stored: ({ message, position }) => `${position} ${message.text}`,
  missed: (_session, _room, messages) => `${messages} messages are missing: come back with your last position`,
};
export default talk;
