import { HASH_BYTES, type Hash, nodeHash } from "./hash.ts"
import type { Node } from "./tree.ts"

/** Hashes of a full tile, and of the subtree's levels that it stands for (C2SP tlog-tiles). */
export const TILE_WIDTH = 256
const TILE_HEIGHT = 8
const DEEPEST = 63
/** The longest entry that a bundle can hold: its length is told in 16 bits. */
export const ENTRY_LIMIT_BYTES = 0xffff

/** A row of a log's hashes, or of its entries: a file, named by where it stands. */
export interface Tile {
  /** Tiles of level 0 hold leaf hashes; each hash of a higher level is that of a full tile below. */
  level: number | "entries"
  index: number
  /** Hashes in it: {@link TILE_WIDTH} when it is full. */
  width: number
}

/** `tile/0/x001/234.p/12`. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = `${index}`.padStart(Math.ceil(`${index}`.length / 3) * 3, "0")
  const parts = digits.match(/\d{3}/g) ?? []
  const place = parts.map((part, at) => (at < parts.length - 1 ? `x${part}` : part)).join("/")
  return `tile/${level}/${place}${width === TILE_WIDTH ? "" : `.p/${width}`}`
}

const PATH = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** The tile that a path names in its one spelling; null for any other text. */
export function parseTilePath(path: string): Tile | null {
  const [, level = "", place = "", width = `${TILE_WIDTH}`] = path.match(PATH) ?? []
  if (place === "") return null
  const tile: Tile = {
    level: level === "entries" ? level : Number(level),
    index: Number(place.replace(/\D/g, "")),
    width: Number(width),
  }
  const isRight = tile.level === "entries" || tile.level <= DEEPEST
  return isRight && tile.width <= TILE_WIDTH && tilePath(tile) === path ? tile : null
}

/** Every tile of a tree, entry bundles included; those that a tree of `since` leaves has, too, are left out. */
export function tilesOf(size: number, since = 0): Tile[] {
  const tiles: Tile[] = []
  for (let level = 0; level <= DEEPEST; level++) {
    const [count, known] = [hashesAt(level, size), hashesAt(level, since)]
    if (count === 0) break
    for (let index = Math.floor(known / TILE_WIDTH); index * TILE_WIDTH < count; index++) {
      const width = Math.min(TILE_WIDTH, count - index * TILE_WIDTH)
      if (index * TILE_WIDTH + width <= known) continue
      tiles.push({ level, index, width })
      if (level === 0) tiles.push({ level: "entries", index, width })
    }
  }
  return tiles
}

/** Hashes that a tree has in the tiles of one level. */
function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level)
}

/** The tile that tells the hash of a complete subtree, as a tree of `size` leaves has it. */
export function tileWith({ level, index }: Node, size: number): Tile {
  const [row, above] = [Math.floor(level / TILE_HEIGHT), level % TILE_HEIGHT]
  const tile = Math.floor((index * 2 ** above) / TILE_WIDTH)
  const width = Math.min(TILE_WIDTH, hashesAt(row, size) - tile * TILE_WIDTH)
  return { level: row, index: tile, width }
}

/** The hash of a complete subtree, from the bytes of {@link tileWith}. */
export function hashIn(tile: Uint8Array, { level, index }: Node): Hash {
  const count = 2 ** (level % TILE_HEIGHT)
  const first = (index * count) % TILE_WIDTH
  const hashes = Array.from({ length: count }, (_, at) => hashAt(tile, first + at))
  return folded(hashes)
}

/** @throws RangeError where the tile is too short. */
function hashAt(tile: Uint8Array, place: number): Hash {
  const hash = tile.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES)
  if (hash.length !== HASH_BYTES) throw new RangeError(`a tile without a hash ${place}`)
  return hash
}

/** The root over a power of two of hashes: over those of a full tile, what the tile above has in their place. */
export function folded(hashes: readonly Hash[]): Hash {
  let row = hashes
  while (row.length > 1)
    row = Array.from({ length: row.length / 2 }, (_, at) =>
      nodeHash(row[2 * at] as Hash, row[2 * at + 1] as Hash),
    )
  return row[0] as Hash
}

/** Entries with the length of each before it, in 16 bits, the higher byte first. */
export function bundleEntries(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap(entry => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(entry.length)
      return [length, entry]
    }),
  )
}

/** @throws RangeError where the bundle ends in the middle of an entry. */
export function entriesIn(bundle: Uint8Array): Uint8Array[] {
  const lengths = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength)
  const entries: Uint8Array[] = []
  for (let at = 0; at < bundle.length; ) {
    const start = at + 2
    const end = start + lengths.getUint16(at)
    if (end > bundle.length) throw new RangeError("a bundle that ends within an entry")
    entries.push(bundle.subarray(start, end))
    at = end
  }
  return entries
}
