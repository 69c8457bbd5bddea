// The same as upper.ts with a handler that is awaited: `yodel serve ./upper-async.ts`.
import type { Handler } from 'yodel';

const upper: Handler = async (message) => message.text.toUpperCase();
export default upper;
