// Like upper.ts, with an async handler: `yodel serve ./upper-async.ts`.
import type { Handler } from 'yodel';

const upper: Handler = async (message) => message.text.toUpperCase();
export default upper;
