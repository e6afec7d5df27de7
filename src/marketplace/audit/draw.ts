import { hash } from "node:crypto"
import { type Digest, hexOf } from "../../protocol/digest.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"

/**
 * Draws that anyone can repeat. All bytes are fixed:
 *
 *     seed of a proof  = SHA-256("zg-agent/audit/v1/proof\n" ‖ root ‖ signature ‖ proof)
 *     seed of a canary = SHA-256("zg-agent/audit/v1/canary\n" ‖ secret ‖ lease)
 *     block i          = SHA-256(seed ‖ purpose ‖ "\n" ‖ i as 4 bytes, big-endian), i = 0, 1, …
 *
 * root (32) and signature (64) are those of the ledger's first checkpoint after the proof was logged, proof (32) is the
 * digest of its payload; secret (32) is published afterwards and its digest before; lease (16) is the lease's id.
 * Each block gives four 64-bit words, big-endian. A number below n is the first word under the largest multiple of n, mod n.
 */
export type Seed = Buffer

export interface SignedRoot {
  root: Uint8Array
  /** Without it, an agent that is alone on a quiet ledger could work out the next root and choose its proof by it. */
  signature: Uint8Array
}

export function seedOfProof({ root, signature }: SignedRoot, proof: Digest): Seed {
  return sha256(
    text("zg-agent/audit/v1/proof\n"),
    sized(root, 32),
    sized(signature, 64),
    bytesOf(hexOf(proof)),
  )
}

/** A canary has to be drawn before its lease is offered: by a secret that the marketplace has committed to. */
export function seedOfCanary(secret: Uint8Array, lease: LeaseId): Seed {
  return sha256(text("zg-agent/audit/v1/canary\n"), sized(secret, 32), bytesOf(lease))
}

/** At least 0, below 1, in steps of 2^-53; the shard is audited when this is below its probability. */
export function chance(seed: Seed): number {
  return Number(words(seed, "audited")() >> 11n) / 2 ** 53
}

/** So many different ones of the segments 0 … of-1, in ascending order (a Fisher-Yates shuffle that stops early). */
export function drawSegments(seed: Seed, of: number, count: number): number[] {
  const segments = Array.from({ length: of }, (_, segment) => segment)
  const nextWord = words(seed, "segments")
  for (let place = 0; place < count; place++) {
    const other = place + below(of - place, nextWord)
    const [here, there] = [segments[place], segments[other]] as [number, number]
    segments[place] = there
    segments[other] = here
  }
  return segments.slice(0, count).sort((a, b) => a - b)
}

export interface Candidate {
  agent: KeyId
  /** In micro-credits: whoever has more to lose is drawn more often, so that many small identities weigh no more than one. */
  bond: number
}

/**
 * Who re-runs a segment; null without candidates. While nobody has a bond, all weigh the same.
 * @param turn 0 for a segment's first auditor, 1 for the next one, …
 * @param candidates in any order; without the owners who have answered already
 */
export function drawAuditor(
  seed: Seed,
  { segment, turn }: { segment: number; turn: number },
  candidates: readonly Candidate[],
): KeyId | null {
  const sorted = candidates.toSorted((a, b) => (a.agent < b.agent ? -1 : 1))
  const bonded = sorted.some(({ bond }) => bond > 0)
  const weigh = ({ bond }: Candidate) => (bonded ? bond : 1)
  const total = sorted.reduce((sum, candidate) => sum + weigh(candidate), 0)
  if (total === 0) return null
  let left = below(total, words(seed, `auditor ${segment} ${turn}`))
  for (const candidate of sorted) {
    left -= weigh(candidate)
    if (left < 0) return candidate.agent
  }
  throw new Error("the weights do not make their sum")
}

const WORDS = 1n << 64n

/** Evenly, below n: words over the largest multiple of n are passed over. */
function below(n: number, nextWord: () => bigint): number {
  const range = BigInt(n)
  let word = nextWord()
  while (word >= WORDS - (WORDS % range)) word = nextWord()
  return Number(word % range)
}

/** The 64-bit words of a purpose, one a call. */
function words(seed: Seed, purpose: string): () => bigint {
  let block: Buffer = seed
  let at = 0
  return () => {
    if (at % 4 === 0) block = blockOf(seed, purpose, at / 4)
    return block.readBigUInt64BE((at++ % 4) * 8)
  }
}

function blockOf(seed: Seed, purpose: string, i: number): Buffer {
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(i)
  return sha256(seed, text(`${purpose}\n`), counter)
}

function sha256(...parts: Uint8Array[]): Buffer {
  return hash("sha256", Buffer.concat(parts), "buffer")
}

function text(ascii: string): Buffer {
  return Buffer.from(ascii, "ascii")
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, "hex")
}

function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes where ${length} are drawn from`)
  return bytes
}
