import { Fault } from "../../protocol/fault.ts"
import { areEqual, EMPTY_ROOT, type Hash, nodeHash } from "../../protocol/tlog/hash.ts"
import { folded, TILE_WIDTH, tilePath } from "../../protocol/tlog/tile.ts"
import type { LedgerFiles } from "./files.ts"
import { readTile } from "./read-log.ts"

interface Row {
  /** The hashes of a tile so far. */
  hashes: Hash[]
  /** Full tiles before it. */
  full: number
}

/** Builds the rows of a tree's tiles anew from its leaves, one tile at a time, and compares them with those that are published. */
export class Rows {
  readonly #files: LedgerFiles
  readonly #size: number
  readonly #signal: AbortSignal
  readonly #rows: Row[] = []
  /** The roots of the complete subtrees so far, the largest first, with the levels they have. */
  #peaks: { level: number; hash: Hash }[] = []

  constructor(files: LedgerFiles, size: number, signal: AbortSignal) {
    this.#files = files
    this.#size = size
    this.#signal = signal
  }

  get root(): Hash {
    const [last, ...others] = [...this.#peaks].reverse()
    return last === undefined
      ? EMPTY_ROOT
      : others.reduce((right, { hash }) => nodeHash(hash, right), last.hash)
  }

  /** @throws Fault `ledger-mismatch` where a tile says something else; as `readTile`. */
  async add(leaf: Hash): Promise<void> {
    this.#peak({ level: 0, hash: leaf })
    await this.#put(0, leaf)
  }

  /** The tiles that are not full. @throws as {@link add}. */
  async finish(): Promise<void> {
    for (const [level, row] of this.#rows.entries())
      if (row.hashes.length > 0) await this.#compare(level, row)
  }

  #peak(added: { level: number; hash: Hash }): void {
    const last = this.#peaks.at(-1)
    if (last?.level !== added.level) this.#peaks.push(added)
    else {
      this.#peaks.pop()
      this.#peak({ level: added.level + 1, hash: nodeHash(last.hash, added.hash) })
    }
  }

  async #put(level: number, hash: Hash): Promise<void> {
    this.#rows[level] ??= { hashes: [], full: 0 }
    const row = this.#rows[level]
    row.hashes.push(hash)
    if (row.hashes.length < TILE_WIDTH) return
    await this.#compare(level, row)
    const above = folded(row.hashes)
    row.hashes = []
    row.full++
    await this.#put(level + 1, above)
  }

  async #compare(level: number, { hashes, full }: Row): Promise<void> {
    const tile = { level, index: full, width: hashes.length }
    const published = await readTile(this.#files, tile, this.#signal)
    const due = Buffer.concat(hashes)
    if (published.length >= due.length && areEqual(published.subarray(0, due.length), due)) return
    throw new Fault(
      "ledger-mismatch",
      `${tilePath(tile)} says other hashes than the ledger's entries have.`,
      {
        hint: "The files do not belong together: fetch them again.",
        facts: { tile: tilePath(tile), size: this.#size },
      },
    )
  }
}
