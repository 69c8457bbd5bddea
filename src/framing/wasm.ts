/** Creates WebAssembly modules. They need SIMD, which both runtimes have. */

/** The part of WebAssembly used here. Both runtimes declare it only together with the types of a browser. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** The exports of a module in base64; null if the runtime has no WebAssembly, or none with SIMD. */
export function instantiate(base64: string): unknown {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(base64, 'base64'))).exports;
  } catch {
    // Expected only where the runtime lacks WebAssembly (node --jitless) or its SIMD: the modules are always the same.
    return null;
  }
}
