/** What a listener loads: the modules of its scheme and no others. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';

const program = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    // What a package loads in turn does not matter here.
    if (context.parentURL?.includes('/src/')) loaded.push(resolved.url);
    return resolved;
  },
});
const { serve } = await import(process.env.SOURCES + 'server/server.ts');
const server = await serve(JSON.parse(process.env.OPTIONS));
await server.close();
console.log(JSON.stringify(loaded));
`;

const sources = new URL('../../src/', import.meta.url).href;
const tls = selfSignedCertificate(['localhost'], 86_400_000);

/** The modules of src/ (by their path), packages and modules of Node that a server loads until it listens. */
function loadedBy(options: object): string[] {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, SOURCES: sources, OPTIONS: JSON.stringify(options), NODE_OPTIONS: '--no-warnings' },
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const urls = [...new Set(JSON.parse(stdout) as string[])];
  return urls.map((url) => url.replace(sources, '').replace(/^.*\/node_modules\/([^/]+)\/.*$/, '$1'));
}

const handshakes = /^transport\/handshakes/;
const tlsModules = /^transport\/tls|^node:tls$/;
const webSocketModules = /^transport\/websocket|^node:http$/;

test.skipIf(process.versions.bun).each([
  ['tcp://', { listen: 'tcp://127.0.0.1:0' }, []],
  ['tcp:// with the PROXY protocol', { listen: 'tcp://127.0.0.1:0', proxyProtocol: ['127.0.0.1'] }, [handshakes]],
  ['tls://', { listen: 'tls://127.0.0.1:0', tls }, [handshakes, tlsModules]],
  ['ws://', { listen: 'ws://127.0.0.1:0' }, [webSocketModules]],
  ['wss://', { listen: 'wss://127.0.0.1:0', tls }, [handshakes, tlsModules, webSocketModules]],
])('a %s listener loads only what it needs', (_, options, expected) => {
  const loaded = loadedBy(options);
  const optional = [handshakes, tlsModules, webSocketModules];
  expect(optional.filter((modules) => loaded.some((one) => modules.test(one)))).toEqual(expected);
  // A handler that is not used is not loaded either, and nothing of a client.
  expect(loaded.filter((one) => /^(handlers|client|process)\//.test(one))).toEqual(['handlers/echo.ts']);
});
