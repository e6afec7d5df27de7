import { createHash } from "node:crypto"

/** The hash of a leaf or of a subtree: 32 bytes of SHA-256. */
export type Hash = Uint8Array

export const HASH_BYTES = 32

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

export function sha256(bytes: Uint8Array): Hash {
  return createHash("sha256").update(bytes).digest()
}

/** The root of a tree without leaves (RFC 6962, 2.1). */
export const EMPTY_ROOT: Hash = createHash("sha256").digest()

/** RFC 6962, 2.1: the prefixes keep a leaf from being taken for a node. */
export function leafHash(entry: Uint8Array): Hash {
  return createHash("sha256").update(LEAF).update(entry).digest()
}

export function nodeHash(left: Hash, right: Hash): Hash {
  return createHash("sha256").update(NODE).update(left).update(right).digest()
}

export function areEqual(a: Hash, b: Hash): boolean {
  return Buffer.compare(a, b) === 0
}
