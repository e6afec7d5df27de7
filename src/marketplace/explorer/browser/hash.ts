/** What src/protocol/tlog/hash.ts is in Node.js, for browsers: the marketplace serves it in that place, and the same tree code imports it. */

/** The hash of a leaf or of a subtree: 32 bytes of SHA-256. */
export type Hash = Uint8Array

export const HASH_BYTES = 32

const BLOCK_BYTES = 64
/** Where the length begins in the last block. */
const LENGTH_AT = 56

/** The first 32 bits of the fractional parts of the `root`-th roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3). */
function fractions(count: number, root: 2 | 3): Uint32Array {
  const primes: number[] = []
  for (let next = 2; primes.length < count; next++)
    if (primes.every(prime => next % prime !== 0)) primes.push(next)
  return Uint32Array.from(primes, prime => {
    const value = root === 2 ? Math.sqrt(prime) : Math.cbrt(prime)
    return Math.floor((value - Math.floor(value)) * 2 ** 32)
  })
}

const START = fractions(8, 2)
const ROUNDS = fractions(64, 3)

/** FIPS 180-4. WebCrypto's is not used: it answers later, and everything above it would have to wait. */
export function sha256(bytes: Uint8Array): Hash {
  const state = START.slice()
  const padded = pad(bytes)
  for (let at = 0; at < padded.byteLength; at += BLOCK_BYTES) mix(state, padded, at)
  const out = new DataView(new ArrayBuffer(HASH_BYTES))
  for (const [at, word] of state.entries()) out.setUint32(at * 4, word)
  return new Uint8Array(out.buffer)
}

/** A one, noughts, and the length in bits. */
function pad(bytes: Uint8Array): DataView {
  const blocks = Math.ceil((bytes.length + 1 + 8) / BLOCK_BYTES)
  const padded = new Uint8Array(blocks * BLOCK_BYTES)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64((blocks - 1) * BLOCK_BYTES + LENGTH_AT, BigInt(bytes.length) * 8n)
  return view
}

/** One block (FIPS 180-4, 6.2.2). */
function mix(state: Uint32Array, block: DataView, start: number): void {
  const words = schedule(block, start)
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  for (const [at, constant] of ROUNDS.entries()) {
    const first =
      h +
      (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) +
      ((e & f) ^ (~e & g)) +
      constant +
      (words[at] as number)
    const second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
  }
  for (const [at, word] of [a, b, c, d, e, f, g, h].entries()) state[at] = (state[at] as number) + word
}

function schedule(block: DataView, start: number): Uint32Array {
  const words = new Uint32Array(64)
  const word = (at: number) => words[at] as number
  for (let at = 0; at < 16; at++) words[at] = block.getUint32(start + at * 4)
  for (let at = 16; at < 64; at++) {
    const [far, near] = [word(at - 15), word(at - 2)]
    words[at] =
      word(at - 16) +
      (turned(far, 7) ^ turned(far, 18) ^ (far >>> 3)) +
      word(at - 7) +
      (turned(near, 17) ^ turned(near, 19) ^ (near >>> 10))
  }
  return words
}

function turned(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}

/** The root of a tree without leaves (RFC 6962, 2.1). */
export const EMPTY_ROOT: Hash = sha256(new Uint8Array())

/** RFC 6962, 2.1: the prefixes keep a leaf from being taken for a node. */
export function leafHash(entry: Uint8Array): Hash {
  return sha256(Uint8Array.of(0, ...entry))
}

export function nodeHash(left: Hash, right: Hash): Hash {
  return sha256(Uint8Array.of(1, ...left, ...right))
}

export function areEqual(a: Hash, b: Hash): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
