// Like text.ts, with an async handler: `yodel serve ./text-async.ts`.
import type { Handler } from 'yodel';

const text: Handler = async (message) => message.text;
export default text;
