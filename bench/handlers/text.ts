// Text in, the same text out: `yodel serve ./text.ts`.
import type { Handler } from 'yodel';

const text: Handler = (message) => message.text;
export default text;
