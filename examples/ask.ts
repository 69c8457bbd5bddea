// A server that asks its clients: `yodel serve ./ask.ts`, then `printf 'ada\ntea\nyes\nbye\n' | yodel connect :7878`.
import type { HandlerObject } from 'yodel';

interface Guest {
  name?: string;
}

const host: HandlerObject<Guest> = {
  async open(session) {
    const { text } = await session.request('what is your name?');
    session.data.name = text;
    return `hello ${text}`;
  },
  async message({ text }, session) {
    if (text === 'bye') return session.close();
    // The handler waits for this client only. Without a reply in time it goes on.
    const answer = await session
      .request(`${text}, ${session.data.name}?`, { timeoutMs: 60_000 })
      .catch(() => undefined);
    return answer?.text === 'yes' ? `here is your ${text}` : `no ${text}, then`;
  },
};
export default host;
