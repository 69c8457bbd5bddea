// Text in, upper-cased text out: `yodel serve ./upper.ts`.
import type { Handler } from 'yodel';

const upper: Handler = (message) => message.text.toUpperCase();
export default upper;
