/** As much of the JavaScript interface as is used here (https://www.w3.org/TR/wasm-js-api-2): TypeScript has it for browsers alone. */
interface WebAssemblyApi {
  Memory: new (size: { initial: number; maximum: number }) => LinearMemory
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  Instance: new (module: object, imports: { env: { memory: LinearMemory } }) => { exports: unknown }
}

const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi }

/** Memory that the kernel gave in whole pages, all zero. */
export interface LinearMemory {
  readonly buffer: ArrayBuffer
}

/** Of WebAssembly, and a multiple of every system's own. */
const PAGE_BYTES = 1 << 16

/** @throws RangeError when the machine does not give it. */
export function openMemory(bytes: number): LinearMemory {
  const pages = Math.ceil(bytes / PAGE_BYTES)
  return new WebAssembly.Memory({ initial: pages, maximum: pages })
}

/** What a module exports that works on this memory. */
export function instantiate(module: Uint8Array<ArrayBuffer>, memory: LinearMemory): unknown {
  return new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } }).exports
}
