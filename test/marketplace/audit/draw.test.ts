import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import {
  type Candidate,
  chance,
  drawAuditor,
  drawSegments,
  type Seed,
  seedOfCanary,
  seedOfProof,
} from "../../../src/marketplace/audit/draw.ts"
import { digestOf, hexOf } from "../../../src/protocol/digest.ts"
import { KeyId } from "../../../src/protocol/keys.ts"
import { LeaseId } from "../../../src/protocol/lease.ts"

const sha256 = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest()

const signedRoot = { root: sha256("root"), signature: Buffer.concat([sha256("r"), sha256("s")]) }
const proof = digestOf("proof")
const keyId = (n: number) => KeyId.parse(hexOf(digestOf(`agent ${n}`)))

function seeds(count: number): Seed[] {
  return Array.from({ length: count }, (_, n) => seedOfProof(signedRoot, digestOf(`proof ${n}`)))
}

/** Pearson's statistic; above its 99.9th percentile, counts like these come once in a thousand draws. */
function chiSquare(counts: number[], shares: number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce((sum, count, i) => {
    const expected = total * (shares[i] as number)
    return sum + (count - expected) ** 2 / expected
  }, 0)
}

const CRITICAL = { 4: 18.47, 9: 27.88, 19: 43.82 }

test("the bytes are those that the comment fixes", () => {
  const root = Buffer.alloc(32, 1)
  const signature = Buffer.alloc(64, 2)
  const seed = seedOfProof({ root, signature }, proof)
  expect(seed).toEqual(sha256("zg-agent/audit/v1/proof\n", root, signature, Buffer.from(hexOf(proof), "hex")))
  const word = (purpose: string) => sha256(seed, `${purpose}\n`, Buffer.alloc(4)).readBigUInt64BE()
  expect(chance(seed)).toBe(Number(word("audited") >> 11n) / 2 ** 53)
  expect(drawSegments(seed, 1000, 1)).toEqual([Number(word("segments") % 1000n)])
  const candidates = [0, 1, 2].map(n => ({ agent: keyId(n), bond: 0 }))
  const sorted = candidates.map(({ agent }) => agent).sort()
  expect(drawAuditor(seed, { segment: 7, turn: 2 }, candidates)).toBe(
    sorted[Number(word("auditor 7 2") % 3n)],
  )
  const lease = LeaseId.parse("0123456789abcdef0123456789abcdef")
  expect(seedOfCanary(root, lease)).toEqual(
    sha256("zg-agent/audit/v1/canary\n", root, Buffer.from(lease, "hex")),
  )
})

test("a draw of twenty segments goes on into further blocks as the comment says", () => {
  const seed = seedOfProof(signedRoot, proof)
  const left = Array.from({ length: 40 }, (_, n) => n)
  for (let i = 0; i < 20; i++) {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(i >> 2)
    const word = sha256(seed, "segments\n", counter).readBigUInt64BE(8 * (i % 4))
    const j = i + Number(word % BigInt(40 - i))
    ;[left[i], left[j]] = [left[j] as number, left[i] as number]
  }
  expect(drawSegments(seed, 40, 20)).toEqual(left.slice(0, 20).sort((a, b) => a - b))
})

test("each of root, signature and proof changes the draw", () => {
  const other = Buffer.alloc(64, 9)
  const all = [
    seedOfProof(signedRoot, proof),
    seedOfProof({ ...signedRoot, root: other.subarray(32) }, proof),
    seedOfProof({ ...signedRoot, signature: other }, proof),
    seedOfProof(signedRoot, digestOf("another proof")),
  ]
  expect(new Set(all.map(seed => chance(seed))).size).toBe(all.length)
})

test("bytes of another length are refused, so that no two inputs run into the same seed", () => {
  expect(() => seedOfProof({ ...signedRoot, root: Buffer.alloc(31) }, proof)).toThrow(RangeError)
  expect(() => seedOfProof({ ...signedRoot, signature: Buffer.alloc(65) }, proof)).toThrow(RangeError)
})

test("chances are spread evenly over [0, 1)", () => {
  const counts = Array.from({ length: 20 }, () => 0)
  for (const seed of seeds(20_000)) {
    const bin = Math.floor(chance(seed) * 20)
    counts[bin] = (counts[bin] as number) + 1
  }
  expect(counts.length).toBe(20)
  expect(
    chiSquare(
      counts,
      counts.map(() => 1 / 20),
    ),
  ).toBeLessThan(CRITICAL[19])
})

test("segments are different, in order, and each is drawn as often as any other", () => {
  const counts = Array.from({ length: 10 }, () => 0)
  for (const seed of seeds(10_000)) {
    const drawn = drawSegments(seed, 10, 3)
    expect(new Set(drawn).size).toBe(3)
    expect(drawn).toEqual(drawn.toSorted((a, b) => a - b))
    for (const segment of drawn) counts[segment] = (counts[segment] as number) + 1
  }
  expect(
    chiSquare(
      counts,
      counts.map(() => 1 / 10),
    ),
  ).toBeLessThan(CRITICAL[9])
})

test("all segments are drawn when as many are asked for", () => {
  for (const seed of seeds(50)) expect(drawSegments(seed, 7, 7)).toEqual([0, 1, 2, 3, 4, 5, 6])
})

test("pairs of segments are drawn evenly too", () => {
  const counts = new Map<string, number>()
  for (const seed of seeds(10_000)) {
    const pair = drawSegments(seed, 5, 2).join()
    counts.set(pair, (counts.get(pair) ?? 0) + 1)
  }
  expect(counts.size).toBe(10)
  expect(chiSquare([...counts.values()], Array(10).fill(1 / 10))).toBeLessThan(CRITICAL[9])
})

test("auditors are drawn by their bonds, and without bonds evenly", () => {
  const bonds = [0, 1, 2, 3, 4, 10].map(share => share * 1_000_000)
  const tally = (candidates: Candidate[]) => {
    const counts = candidates.map(() => 0)
    for (const seed of seeds(10_000)) {
      const drawn = drawAuditor(seed, { segment: 0, turn: 0 }, candidates)
      const place = candidates.findIndex(({ agent }) => agent === drawn)
      counts[place] = (counts[place] as number) + 1
    }
    return counts
  }
  const [none, ...some] = tally(bonds.map((bond, n) => ({ agent: keyId(n), bond })))
  expect(none).toBe(0)
  expect(chiSquare(some, [0.05, 0.1, 0.15, 0.2, 0.5])).toBeLessThan(CRITICAL[4])
  const even = tally([0, 1, 2, 3, 4].map(n => ({ agent: keyId(n), bond: 0 })))
  expect(chiSquare(even, Array(5).fill(1 / 5))).toBeLessThan(CRITICAL[4])
})

test("the same auditor is drawn in whatever order the candidates are told, and another for another turn", () => {
  const candidates = Array.from({ length: 30 }, (_, n) => ({ agent: keyId(n), bond: n + 1 }))
  const seed = seedOfProof(signedRoot, proof)
  const drawn = (turn: number, of = candidates) => drawAuditor(seed, { segment: 3, turn }, of)
  expect(drawn(0, candidates.toReversed())).toBe(drawn(0))
  expect(new Set([0, 1, 2, 3, 4, 5, 6, 7].map(turn => drawn(turn))).size).toBeGreaterThan(4)
})

test("nobody is drawn from nobody", () => {
  expect(drawAuditor(seedOfProof(signedRoot, proof), { segment: 0, turn: 0 }, [])).toBeNull()
})
