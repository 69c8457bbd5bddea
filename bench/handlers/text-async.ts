// The same as text.ts with a handler that is awaited: `yodel serve ./text-async.ts`.
import type { Handler } from 'yodel';

const text: Handler = async (message) => message.text;
export default text;
