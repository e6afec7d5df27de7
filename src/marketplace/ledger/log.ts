import type { DatabaseSync } from "node:sqlite"
import { type Hash, leafHash, nodeHash } from "../../protocol/tlog/hash.ts"
import type { Inclusion } from "../../protocol/tlog/prove.ts"
import { hashOf, inclusionRanges, type Node, rootOf } from "../../protocol/tlog/tree.ts"

/**
 * The Merkle tree over all entries (RFC 6962), append-only in the database too: each entry, and the hash of every complete subtree.
 * Call `append` inside a write of the database.
 */
export class Log {
  readonly #sql: DatabaseSync
  /** A look-up for each hash of each proof: preparing the statement anew would cost more than running it. */
  readonly #node: ReturnType<DatabaseSync["prepare"]>

  constructor(sql: DatabaseSync) {
    this.#sql = sql
    this.#node = sql.prepare("SELECT hash FROM node WHERE level = ? AND idx = ?")
  }

  /** Leaves so far. */
  get size(): number {
    const row = this.#sql.prepare("SELECT coalesce(max(idx) + 1, 0) AS size FROM entry").get()
    return (row as { size: number }).size
  }

  /** @returns the entry's place and its leaf hash. */
  append(entry: Uint8Array): { index: number; leaf: Hash } {
    const index = this.size
    const leaf = leafHash(entry)
    this.#sql.prepare("INSERT INTO entry (idx, body) VALUES (?, ?)").run(index, entry)
    this.#add({ level: 0, index }, leaf)
    return { index, leaf }
  }

  /** @throws RangeError for an entry that is not there. */
  entry(index: number): Buffer {
    const [entry] = this.entries(index, index + 1)
    if (entry === undefined) throw new RangeError(`no entry ${index}`)
    return Buffer.from(entry)
  }

  /** Entries from `start` on, to `end` (not included). */
  entries(start: number, end: number): Uint8Array[] {
    const rows = this.#sql
      .prepare("SELECT body FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx")
      .all(start, end)
    return (rows as { body: Uint8Array }[]).map(({ body }) => body)
  }

  /** @throws RangeError for a subtree that is not complete. */
  node({ level, index }: Node): Hash {
    const row = this.#node.get(level, index) as { hash: Hash } | undefined
    if (row === undefined) throw new RangeError(`no complete subtree ${index} of level ${level}`)
    return row.hash
  }

  root(size: number): Hash {
    return rootOf(size, node => this.node(node))
  }

  inclusion(index: number, size: number): Inclusion {
    const hashes = inclusionRanges(index, size).map(range => hashOf(range, node => this.node(node)))
    return { index, size, hashes }
  }

  /** A right half completes the subtree above it. */
  #add({ level, index }: Node, hash: Hash): void {
    this.#sql.prepare("INSERT INTO node (level, idx, hash) VALUES (?, ?, ?)").run(level, index, hash)
    if (index % 2 === 0) return
    const left = this.node({ level, index: index - 1 })
    this.#add({ level: level + 1, index: (index - 1) / 2 }, nodeHash(left, hash))
  }
}
