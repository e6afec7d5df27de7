import { areEqual, EMPTY_ROOT, type Hash, nodeHash } from "./hash.ts"
import { consistencyRanges, inclusionRanges } from "./tree.ts"

/** That a leaf is in a tree. */
export interface Inclusion {
  index: number
  size: number
  hashes: readonly Hash[]
}

/** Whether the leaf is at its index in the tree with this root (RFC 9162, 2.1.3.2). */
export function isIncluded(leaf: Hash, { index, size, hashes }: Inclusion, root: Hash): boolean {
  if (!(index >= 0 && index < size) || hashes.length !== inclusionRanges(index, size).length) return false
  let [node, last] = [index, size - 1]
  let hash = leaf
  for (const sibling of hashes) {
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash)
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)]
    } else hash = nodeHash(hash, sibling)
    ;[node, last] = [half(node), half(last)]
  }
  return areEqual(hash, root)
}

/** A tree that was signed: its leaves' number and its root. */
export interface TreeHead {
  size: number
  root: Hash
}

/** Whether the later tree begins with all of the earlier one (RFC 9162, 2.1.4.2). */
export function isConsistent(from: TreeHead, to: TreeHead, hashes: readonly Hash[]): boolean {
  if (from.size > to.size || hashes.length !== consistencyRanges(from.size, to.size).length) return false
  if (from.size === 0) return areEqual(from.root, EMPTY_ROOT)
  if (from.size === to.size) return areEqual(from.root, to.root)
  let [node, last] = [from.size - 1, to.size - 1]
  while (node % 2 === 1) [node, last] = [half(node), half(last)]
  const [first = from.root, ...rest] = node === 0 ? [from.root, ...hashes] : hashes
  let [earlier, later] = [first, first]
  for (const sibling of rest) {
    if (node % 2 === 1 || node === last) {
      earlier = nodeHash(sibling, earlier)
      later = nodeHash(sibling, later)
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)]
    } else later = nodeHash(later, sibling)
    ;[node, last] = [half(node), half(last)]
  }
  return areEqual(earlier, from.root) && areEqual(later, to.root)
}

/** Of whole numbers that may be larger than 32 bits. */
function half(value: number): number {
  return Math.floor(value / 2)
}
