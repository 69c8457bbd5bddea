// Like json.ts, without a codec: `yodel serve ./own-json.ts`.
import type { Handler } from 'yodel';

const echo: Handler = (message) => JSON.stringify(JSON.parse(message.text));
export default echo;
