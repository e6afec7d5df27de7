import { EMPTY_ROOT, type Hash, nodeHash } from "./hash.ts"

/** A complete subtree: the leaves from `index * 2 ** level` on, `2 ** level` of them. */
export interface Node {
  level: number
  index: number
}

/** Leaves from `start` (included) to `end` (not included). Where a tree is cut, `start` is a multiple of every power of two below the length. */
export type Range = readonly [start: number, end: number]

/** The hash of a complete subtree. */
export type ReadNode = (node: Node) => Hash

/** The largest power of two below `size`, which is at least 2: where RFC 6962 cuts a tree. */
export function cutOf(size: number): number {
  let cut = 1
  while (cut * 2 < size) cut *= 2
  return cut
}

/** The complete subtrees that a range consists of, the largest first. */
export function nodesOf([start, end]: Range): Node[] {
  const nodes: Node[] = []
  for (let at = start; at < end; ) {
    let level = 0
    while (2 ** (level + 1) <= end - at && at % 2 ** (level + 1) === 0) level++
    nodes.push({ level, index: at / 2 ** level })
    at += 2 ** level
  }
  return nodes
}

/** The Merkle Tree Hash of a range (RFC 6962, 2.1). */
export function hashOf(range: Range, read: ReadNode): Hash {
  const [last, ...others] = nodesOf(range).reverse()
  if (last === undefined) return EMPTY_ROOT
  return others.reduce((right, node) => nodeHash(read(node), right), read(last))
}

/** The root of the tree of the first `size` leaves. */
export function rootOf(size: number, read: ReadNode): Hash {
  return hashOf([0, size], read)
}

/** The root of a small tree, from all of its leaves' hashes. */
export function rootOfLeaves(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return EMPTY_ROOT
  const [only, ...more] = leaves as [Hash, ...Hash[]]
  if (more.length === 0) return only
  const cut = cutOf(leaves.length)
  return nodeHash(rootOfLeaves(leaves.slice(0, cut)), rootOfLeaves(leaves.slice(cut)))
}

/**
 * What an inclusion proof consists of (RFC 6962, 2.1.1), the leaf's neighbour first.
 * @throws RangeError for a leaf that is not in the tree.
 */
export function inclusionRanges(index: number, size: number): Range[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`leaf ${index} of a tree of ${size}`)
  return path(index, 0, size)
}

function path(index: number, start: number, end: number): Range[] {
  if (end - start === 1) return []
  const middle = start + cutOf(end - start)
  return index < middle
    ? [...path(index, start, middle), [middle, end]]
    : [...path(index, middle, end), [start, middle]]
}

/**
 * What a consistency proof consists of (RFC 6962, 2.1.2): nothing where one of the trees is empty or both are the same.
 * @throws RangeError when the earlier tree is the larger one.
 */
export function consistencyRanges(from: number, to: number): Range[] {
  if (!(from >= 0 && from <= to)) throw new RangeError(`a tree of ${from} before a tree of ${to}`)
  return from === 0 || from === to ? [] : growth(from, 0, to, true)
}

/** @param isWhole whether the earlier tree's root is the hash of just this range, which whoever verifies knows already. */
function growth(from: number, start: number, end: number, isWhole: boolean): Range[] {
  if (from === end) return isWhole ? [] : [[start, end]]
  const middle = start + cutOf(end - start)
  return from <= middle
    ? [...growth(from, start, middle, isWhole), [middle, end]]
    : [...growth(from, middle, end, false), [start, middle]]
}
