/** Figures in words; a name that is not here speaks for itself. */
const TITLES: Record<string, string> = {
  "matmul-fp32": "Matrix products, FP32",
  "matmul-fp16": "Matrix products, FP16",
  "matmul-subgroup-f16": "Matrix products, FP16 on matrix units",
  "memory-copy": "Memory, copied",
  "memory-triad": "Memory, triad",
  "host-to-device": "From the host to the card",
  "device-to-host": "From the card to the host",
  "cpu-matmul-fp32-wasm-one-core": "Matrix products, FP32 in WebAssembly, one core",
  "cpu-matmul-fp32-wasm-all-cores": "Matrix products, FP32 in WebAssembly, all cores",
  "cpu-sha256-one-core": "SHA-256, one core",
  "cpu-sha256-all-cores": "SHA-256, all cores",
  "memory-copy-one-thread": "Memory, copied by one thread",
  "memory-copy-all-threads": "Memory, copied by all threads",
  "memory-triad-one-thread": "Memory, triad by one thread",
  "memory-triad-all-threads": "Memory, triad by all threads",
  "disk-write-sequential": "Disk, written in order",
  "disk-read-sequential": "Disk, read in order",
  "disk-read-4k-random": "Disk, 4 KiB read at random",
  "disk-write-4k-random": "Disk, 4 KiB written at random",
  "disk-write-sequential-synced": "Disk, written in order and synced",
  "disk-write-4k-random-synced": "Disk, 4 KiB written at random and synced",
  "market-round-trip": "Marketplace, round trip",
  "market-up": "Marketplace, up",
  "market-down": "Marketplace, down",
  "trainer-1m": "Training a model of 1 M parameters",
  "trainer-1m-energy": "The same, for each joule",
  "trainer-25m": "Training a model of 25 M parameters",
  "trainer-25m-energy": "The same, for each joule",
  vram: "Test of the memory",
  repeat: "Test of repeated work",
  sustain: "Long run",
}

export function titleOf(figure: string): string {
  return Object.hasOwn(TITLES, figure) ? (TITLES[figure] ?? figure) : figure
}

const MAKERS = /^(?:NVIDIA|AMD|Intel(?:\(R\))?) (?:(?:GeForce|Radeon|Arc(?:\(TM\))?) )?(?=\S)/

/** A card in a list of all of them: its number, as `gpus` shows it, and its name without its maker's. */
export function numbered({ name }: { name: string | null }, at: number): string {
  return `${at}  ${(name ?? "unknown").replace(MAKERS, "")}`
}
