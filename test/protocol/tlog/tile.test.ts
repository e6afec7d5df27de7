import fc from "fast-check"
import { expect, test } from "vitest"
import { type Hash, leafHash } from "../../../src/protocol/tlog/hash.ts"
import {
  bundleEntries,
  entriesIn,
  hashIn,
  parseTilePath,
  TILE_WIDTH,
  type Tile,
  tilePath,
  tilesOf,
  tileWith,
} from "../../../src/protocol/tlog/tile.ts"

test.each<[Tile, string]>([
  [{ level: 0, index: 0, width: 256 }, "tile/0/000"],
  [{ level: 2, index: 1_234_067, width: 256 }, "tile/2/x001/x234/067"],
  [{ level: "entries", index: 1_234_067, width: 9 }, "tile/entries/x001/x234/067.p/9"],
  [{ level: 63, index: 999, width: 255 }, "tile/63/999.p/255"],
])("%j is %s, and back", (tile, path) => {
  expect(tilePath(tile)).toBe(path)
  expect(parseTilePath(path)).toEqual(tile)
})

test.each([
  "tile/0/0",
  "tile/00/000",
  "tile/64/000",
  "tile/0/x000/000",
  "tile/0/000.p/0",
  "tile/0/000.p/256",
  "tile/0/000.p/01",
  "tile/0/../000",
  "tile/0/000/001",
  "../checkpoint",
  "tile/entries/1000",
  "tile/0/000\n",
])("%j is no tile", path => {
  expect(parseTilePath(path)).toBeNull()
})

test("a tree of 70,000 has the tiles that the format's own example names", () => {
  const tiles = tilesOf(70_000).filter(({ level }) => level !== "entries")
  const at = (level: number, isFull: boolean) =>
    tiles.filter(tile => tile.level === level && (tile.width === TILE_WIDTH) === isFull)
  expect([at(0, true).length, at(0, false)[0]?.width]).toEqual([273, 112])
  expect([at(1, true).length, at(1, false)[0]?.width]).toEqual([1, 17])
  expect([at(2, true).length, at(2, false)[0]?.width]).toEqual([0, 1])
  expect(tilesOf(256).map(tilePath)).toEqual(["tile/0/000", "tile/entries/000", "tile/1/000.p/1"])
})

test("growth adds the tiles that the larger tree has and the smaller one has not", () => {
  const size = fc.integer({ min: 0, max: 140_000 })
  fc.assert(
    fc.property(size, size, (a, b) => {
      const [since, now] = [Math.min(a, b), Math.max(a, b)]
      const before = new Set(tilesOf(since).map(tilePath))
      const due = tilesOf(now)
        .map(tilePath)
        .filter(path => !before.has(path))
      expect(tilesOf(now, since).map(tilePath)).toEqual(due)
    }),
    { numRuns: 20 },
  )
})

test("a subtree's hash lies in the tile that is named for it", () => {
  const leaves = Array.from({ length: 300 }, (_, at) => leafHash(Buffer.from(`${at}`)))
  const second = Buffer.concat(leaves.slice(256))
  expect(tileWith({ level: 0, index: 299 }, 300)).toEqual({ level: 0, index: 1, width: 44 })
  expect(hashIn(second, { level: 0, index: 299 })).toEqual(leaves[299])
  expect(tileWith({ level: 2, index: 65 }, 300)).toEqual({ level: 0, index: 1, width: 44 })
  expect(tileWith({ level: 8, index: 0 }, 300)).toEqual({ level: 1, index: 0, width: 1 })
  expect(() => hashIn(second, { level: 0, index: 300 })).toThrow(RangeError)
  expect(hashIn(second, { level: 1, index: 128 }) as Hash).toHaveLength(32)
})

test("entries come out of a bundle as they went in, and a bundle that is cut is none", () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 })
  fc.assert(
    fc.property(entries, list => {
      expect(entriesIn(bundleEntries(list)).map(one => [...one])).toEqual(list.map(one => [...one]))
    }),
  )
  expect(() => entriesIn(Buffer.of(0, 3, 1, 2))).toThrow(RangeError)
  expect(() => entriesIn(Buffer.of(0))).toThrow(RangeError)
})
