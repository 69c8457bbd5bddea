/** Makes src/framing/scan-module.ts of scan.wat: `npm run wasm`. A test compares them. */
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const source = new URL('../src/framing/scan.wat', import.meta.url);
const target = new URL('../src/framing/scan-module.ts', import.meta.url);

/** The text of scan-module.ts. */
export async function scanModuleFile(): Promise<string> {
  const { parseWat } = await wabt();
  const module = parseWat('scan.wat', readFileSync(source, 'utf8'), { simd: true });
  const { buffer } = module.toBinary({});
  return `/** scan.wat as WebAssembly, in base64. Made by \`npm run wasm\`; do not edit. */
export const scanModule =
  '${Buffer.from(buffer).toString('base64')}';
`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(target, await scanModuleFile());
