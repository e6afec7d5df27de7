import fc from "fast-check"
import { expect, test } from "vitest"
import { EMPTY_ROOT, type Hash, leafHash, nodeHash } from "../../../src/protocol/tlog/hash.ts"
import { isConsistent, isIncluded } from "../../../src/protocol/tlog/prove.ts"
import {
  consistencyRanges,
  cutOf,
  hashOf,
  inclusionRanges,
  type Node,
  rootOf,
} from "../../../src/protocol/tlog/tree.ts"

const hex = (hash: Hash) => Buffer.from(hash).toString("hex")

/** The leaves and roots that Certificate Transparency's own tests use (RFC 6962's reference implementation, merkletree). */
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
]
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

/** A tree straight from the definition (RFC 6962, 2.1). */
function definition(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return EMPTY_ROOT
  if (leaves.length === 1) return leaves[0] as Hash
  const cut = cutOf(leaves.length)
  return nodeHash(definition(leaves.slice(0, cut)), definition(leaves.slice(cut)))
}

function treeOf(leaves: readonly Hash[]): (node: Node) => Hash {
  return ({ level, index }) => definition(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))
}

const numbered = Array.from({ length: 80 }, (_, at) => leafHash(Buffer.from(`${at}`)))

test("the known leaves have the known roots", () => {
  const leaves = LEAVES.map(text => leafHash(Buffer.from(text, "hex")))
  expect(hex(EMPTY_ROOT)).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  for (const [at, root] of ROOTS.entries()) expect(hex(rootOf(at + 1, treeOf(leaves)))).toBe(root)
})

test("a root from complete subtrees is the definition's", () => {
  for (let size = 0; size <= numbered.length; size++)
    expect(hex(rootOf(size, treeOf(numbered)))).toBe(hex(definition(numbered.slice(0, size))))
})

const sizes = fc
  .tuple(fc.integer({ min: 1, max: numbered.length }), fc.nat(), fc.nat())
  .map(([size, a, b]) => ({ size, index: a % size, earlier: b % (size + 1) }))

test("every leaf proves its place, and no other leaf, place, size or root", () => {
  const read = treeOf(numbered)
  fc.assert(
    fc.property(sizes, fc.nat(), ({ size, index }, spoil) => {
      const hashes = inclusionRanges(index, size).map(range => hashOf(range, read))
      const root = rootOf(size, read)
      const leaf = numbered[index] as Hash
      expect(isIncluded(leaf, { index, size, hashes }, root)).toBe(true)
      expect(isIncluded(leafHash(Buffer.from("other")), { index, size, hashes }, root)).toBe(false)
      expect(isIncluded(leaf, { index: index + 1, size, hashes }, root)).toBe(false)
      expect(isIncluded(leaf, { index, size, hashes: [...hashes, leaf] }, root)).toBe(false)
      expect(isIncluded(leaf, { index, size, hashes }, nodeHash(root, root))).toBe(false)
      if (hashes.length === 0) return
      expect(isIncluded(leaf, { index, size, hashes: hashes.slice(1) }, root)).toBe(false)
      const spoilt = hashes.with(spoil % hashes.length, leafHash(Buffer.from("spoilt")))
      expect(isIncluded(leaf, { index, size, hashes: spoilt }, root)).toBe(false)
    }),
  )
})

test("every earlier tree proves that it grew, and no other one", () => {
  const read = treeOf(numbered)
  fc.assert(
    fc.property(sizes, fc.nat(), ({ size, earlier }, spoil) => {
      const hashes = consistencyRanges(earlier, size).map(range => hashOf(range, read))
      const [from, to] = [earlier, size].map(of => ({ size: of, root: rootOf(of, read) })) as [Head, Head]
      expect(isConsistent(from, to, hashes)).toBe(true)
      const other = leafHash(Buffer.from("another story"))
      expect(isConsistent({ ...from, root: other }, to, hashes)).toBe(false)
      expect(isConsistent(from, { ...to, root: other }, hashes)).toBe(earlier === 0)
      expect(isConsistent(from, to, [...hashes, other])).toBe(false)
      if (hashes.length === 0) return
      expect(isConsistent(from, to, hashes.slice(1))).toBe(false)
      expect(isConsistent(from, to, hashes.with(spoil % hashes.length, other))).toBe(false)
      expect(isConsistent(to, from, hashes)).toBe(false)
    }),
  )
})

interface Head {
  size: number
  root: Hash
}
