// A handler. Run it with `yodel serve ./shout.ts`.
import type { Handler } from 'yodel';

const shout: Handler = (message) => message.text.toUpperCase();
export default shout;
