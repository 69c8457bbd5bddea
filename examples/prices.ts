// A handler whose clients want the latest price of each thing, and not every price. Run it with `yodel serve ./prices.ts`.
import type { HandlerObject, SessionServer } from 'yodel';

let timer: NodeJS.Timeout;

function sendPrices(server: SessionServer): void {
  for (const thing of ['gold', 'silver']) {
    // A client that has not read the last price of gold yet receives this one instead.
    server.room('prices').send(`${thing} ${(Math.random() * 100).toFixed(2)}`, { key: thing });
  }
}

const prices: HandlerObject = {
  start(server) {
    timer = setInterval(sendPrices, 100, server);
  },
  open: (session) => session.join('prices'),
  missed: (_session, _room, messages) => `${messages} prices are missing`,
  stop: () => clearInterval(timer),
};
export default prices;
