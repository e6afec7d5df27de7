import { leafHash } from "../../../protocol/tlog/hash.ts"
import { isConsistent, isIncluded, type TreeHead } from "../../../protocol/tlog/prove.ts"
import { entriesIn, hashIn, TILE_WIDTH, type Tile, tilePath, tileWith } from "../../../protocol/tlog/tile.ts"
import {
  consistencyRanges,
  hashOf,
  inclusionRanges,
  type Node,
  nodesOf,
  type Range,
} from "../../../protocol/tlog/tree.ts"
import { LedgerProblem } from "./problem.ts"

/** A file of the published ledger; null where there is none. */
export type ReadFile = (path: string) => Promise<Uint8Array | null>

/** A ledger as one signed head has it: reads each tile once. */
export class SignedLedger {
  readonly head: TreeHead
  readonly #read: ReadFile
  readonly #tiles = new Map<string, Promise<Uint8Array>>()

  constructor(head: TreeHead, read: ReadFile) {
    this.head = head
    this.#read = read
  }

  /** That it begins with all of an earlier tree. @throws LedgerProblem `forked` when it does not; `spoilt`, `absent`. */
  async goesOnFrom(earlier: TreeHead): Promise<void> {
    const { size } = this.head
    const hashes = earlier.size > size ? [] : await this.#hashes(consistencyRanges(earlier.size, size))
    if (earlier.size <= size && isConsistent(earlier, this.head, hashes)) return
    throw new LedgerProblem(
      "forked",
      `The ledger of ${size} entries that it shows now does not go on from the ${earlier.size} that it signed before.`,
    )
  }

  /**
   * The bytes of an entry, as text, once their way to the signed root is checked.
   * @throws LedgerProblem `spoilt` for an entry that is not in the tree; `absent` for one that is not published.
   */
  async entry(index: number): Promise<string> {
    const { size, root } = this.head
    if (index >= size)
      throw new LedgerProblem(
        "absent",
        `Entry ${index} is not in the ${size} entries that are signed; try again soon.`,
      )
    const bytes = await this.#bytes(index)
    const hashes = await this.#hashes(inclusionRanges(index, size))
    if (isIncluded(leafHash(bytes), { index, size, hashes }, root)) return new TextDecoder().decode(bytes)
    throw new LedgerProblem(
      "spoilt",
      `Entry ${index} does not lead to the signed root: it is not what was recorded.`,
    )
  }

  async #bytes(index: number): Promise<Uint8Array> {
    const place = Math.floor(index / TILE_WIDTH)
    const width = Math.min(TILE_WIDTH, this.head.size - place * TILE_WIDTH)
    const bundle = await this.#tile({ level: "entries", index: place, width })
    const bytes = within(() => entriesIn(bundle)[index % TILE_WIDTH])
    if (bytes === undefined) throw tooShort()
    return bytes
  }

  async #hashes(ranges: readonly Range[]): Promise<Uint8Array[]> {
    const { size } = this.head
    const held = new Map<string, Uint8Array>()
    for (const tile of ranges.flatMap(nodesOf).map(node => tileWith(node, size)))
      held.set(tilePath(tile), await this.#tile(tile))
    const read = (node: Node) => hashIn(held.get(tilePath(tileWith(node, size))) ?? new Uint8Array(), node)
    return within(() => ranges.map(range => hashOf(range, read)))
  }

  #tile(tile: Tile): Promise<Uint8Array> {
    const path = tilePath(tile)
    const fetching = this.#tiles.get(path) ?? this.#fetch(tile)
    this.#tiles.set(path, fetching)
    return fetching
  }

  /** A narrow tile may have given way to the full one, which begins with the same. */
  async #fetch(tile: Tile): Promise<Uint8Array> {
    const bytes =
      (await this.#read(tilePath(tile))) ?? (await this.#read(tilePath({ ...tile, width: TILE_WIDTH })))
    if (bytes === null) throw new LedgerProblem("spoilt", `The ledger has no file ${tilePath(tile)}.`)
    return bytes
  }
}

function within<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof RangeError ? tooShort() : error
  }
}

function tooShort(): LedgerProblem {
  return new LedgerProblem("spoilt", "A file of the ledger is too short for what it should hold.")
}
