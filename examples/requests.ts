// Replies that are matched by ids in the messages, in any order, among messages that are no replies.
import { setTimeout as delay } from 'node:timers/promises';
import { connect, json, serve } from 'yodel';

interface Question {
  id: number;
  waitMs: number;
}
type Answer = { id: number; waited: number } | { news: string };

const server = await serve({
  listen: 0,
  codec: json<Question, Answer>(),
  concurrency: 10,
  replyOrder: 'finished',
  async handler({ id, waitMs }, session) {
    session.send({ news: `question ${id} has arrived` });
    await delay(waitMs);
    return { id, waited: waitMs };
  },
});

const client = await connect(server.addresses[0], {
  codec: json<Answer, Question>(),
  correlate: {
    requestId: (question) => ('id' in question ? question.id : undefined),
    replyId: (answer) => ('id' in answer ? answer.id : undefined),
  },
});
const ask = async (id: number, waitMs: number) => {
  const answer = await client.request({ id, waitMs });
  console.log(JSON.stringify(answer));
};
await Promise.all([ask(1, 200), ask(2, 10)]);
for await (const message of client) {
  console.log(JSON.stringify(message));
  if ('news' in message && message.news.includes('2')) break;
}

// A request that takes too long is given up. Its late reply is dropped, and never taken for that of another request.
await client.request({ id: 3, waitMs: 1000 }, { timeoutMs: 10 }).catch((error) => console.log(error.code));
await ask(4, 1000);
console.log('late replies:', client.counters.lateReplies);

await client.close();
await server.close();
