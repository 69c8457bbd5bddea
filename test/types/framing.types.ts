/** The types of framings and protocols as text. Compiled by `npm run types`, never run. */
import { expectTypeOf } from 'vitest';
import {
  connect,
  type Framing,
  type FramingText,
  lines,
  type ProtocolName,
  parseFraming,
  protocolNamed,
  serve,
} from '../../src/index.ts';

/** Every form of the notation. */
export const right: FramingText[] = [
  'lines',
  'delimiter:\\0',
  'delimiters:\\0,\\n',
  'between:\\x02,\\x03',
  'between:\\x02,\\x03,gap=\\n',
  'length',
  'length:2',
  'length:2,little',
  'netstring',
  'octet-counted',
  'octet-counted:mixed,nul',
  'headers',
  'headers:max=65536',
  'slip',
  'cobs',
  'resp',
  'resp:inline',
  'until(lines,/^\\d{3} /)',
  'raw',
];

export async function texts(setting: string): Promise<void> {
  await serve({ framing: 'length:2,little', replyFraming: lines() });
  await connect(1, { protocol: 'redis' });
  // @ts-expect-error Misspelt.
  await serve({ framing: 'lins' });
  // @ts-expect-error Misspelt.
  await serve({ replyFraming: 'lenght:2' });
  // @ts-expect-error The delimiter is missing.
  await serve({ framing: 'delimiter' });
  // @ts-expect-error Nothing follows it.
  await serve({ framing: 'lines:2' });
  // @ts-expect-error Misspelt.
  await connect(1, { framing: 'lins' });
  // @ts-expect-error Misspelt.
  await connect(1, { protocol: 'rediss' });
  // @ts-expect-error The function, and not what it returns.
  await serve({ framing: lines });
  // @ts-expect-error A text that the compiler does not know.
  await serve({ framing: setting });
  expectTypeOf(parseFraming(setting)).toEqualTypeOf<Framing>();
  await serve({ framing: parseFraming(setting) });
  await serve({ protocol: protocolNamed(setting) });
  expectTypeOf<'smtp'>().toExtend<ProtocolName>();
  // @ts-expect-error Misspelt.
  lines({ clrf: true });
}
