/** Clients store with `store TEXT`, and join with `join POSITION`; each message comes as `POSITION TEXT`. For `yodel serve`. */
import type { HandlerObject } from '../../src/index.ts';

const handler: HandlerObject = {
  async message({ text }, session) {
    const [word = '', rest = ''] = text.split(' ');
    if (word === 'store') return `stored ${rest} ${await session.server.room('news').store(rest)}`;
    const { recovered, messages } = await session.join('news', { since: rest });
    return `joined ${recovered} ${messages}`;
  },
  stored: ({ message, position }) => `${position} ${message.text}`,
};
export default handler;
