import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { array, assert, asyncProperty, integer, tuple } from "fast-check"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type Damage, openJournal } from "../../../src/runtime/shard/journal.ts"
import { MIGRATIONS } from "../../../src/runtime/shard/journal-row.ts"
import type { OpenState, ShardState } from "../../../src/runtime/shard/state.ts"
import { mountSmallDisk } from "../../stand-in/small-disk.ts"
import { ABANDONED, LEASED, PROVED, RUNNING, SETTLED } from "./sample.ts"

const PAGE_BYTES = 4096
const SHARDS = 60

let root: string
let path: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "zg-damage-test-"))
  path = join(root, "journal.sqlite")
})
afterEach(() => rmSync(root, { recursive: true }))

function numbered<State extends ShardState>(state: State, number: number): State {
  const { assignment } = state
  const id = number.toString(16).padStart(32, "0") as never
  return { ...state, assignment: { ...assignment, lease: { ...assignment.lease, id } } }
}

/** Shards in several states, of several sizes, each of which was recorded twice. */
const MANY = Array.from({ length: SHARDS }, (_, number) =>
  numbered([RUNNING, PROVED, SETTLED, ABANDONED][number % 4] as ShardState, number),
)

async function fill(at: string, states = MANY): Promise<void> {
  const journal = openJournal(at)
  for (const state of states) await journal.record(numbered(LEASED, Number(`0x${idOf(state)}`)))
  await Promise.all(states.map(state => journal.record(state)))
  journal.close()
}

const idOf = (state: ShardState) => state.assignment.lease.id

function mend(at = path) {
  const damages: Damage[] = []
  const journal = openJournal(at, damage => damages.push(damage))
  return { journal, damages, states: journal.history(SHARDS * 2).map(({ state }) => state) }
}

/** What there is after damage is right as far as it goes, takes new shards, and is whole from then on. */
async function expectSound(at: string, journal: ReturnType<typeof openJournal>): Promise<void> {
  const before = journal.open()
  const fresh = numbered(RUNNING, 0xffff)
  await journal.record(fresh)
  journal.close()
  const again = mend(at)
  expect(again.damages).toEqual([])
  const after = again.journal.open()
  expect(after).toHaveLength(before.length + 1)
  expect(after).toEqual(expect.arrayContaining([...before, fresh]))
  again.journal.close()
}

test("a sound journal is not touched, and its own process holds it alone", async () => {
  await fill(path)
  const { journal, damages, states } = mend()
  expect(damages).toEqual([])
  expect(states).toHaveLength(SHARDS)
  expect(() => openJournal(path, () => {})).toThrow(expect.objectContaining({ code: "already-serving" }))
  openJournal(path).close()
  journal.close()
  mend().journal.close()
})

const DAMAGES: [name: string, leastSaved: number, damage: () => void][] = [
  ["whose first page is gone", SHARDS, () => overwrite(0, Buffer.alloc(PAGE_BYTES, 0xaa))],
  ["whose root page is gone", SHARDS, () => overwrite(PAGE_BYTES, Buffer.alloc(PAGE_BYTES, 0xaa))],
  ["whose second half is gone", 10, () => truncateSync(path, pages() * (PAGE_BYTES / 2))],
  ["whose last page is gone", SHARDS - 8, () => truncateSync(path, (pages() - 1) * PAGE_BYTES)],
  ["with nothing in it", 0, () => truncateSync(path)],
  ["that is no database", 0, () => writeFileSync(path, "no database at all ".repeat(1000))],
  ["that is another database", 0, () => otherDatabase()],
]

test.for(DAMAGES)("a file %s is set aside, and %i shards at least go on", async ([, least, damage]) => {
  await fill(path)
  damage()
  const bytes = readFileSync(path)
  const { journal, damages, states } = mend()
  expect(damages).toEqual([
    {
      file: expect.stringMatching(/journal\.sqlite\.damaged-\d{4}-/),
      salvaged: states.length,
      rows: expect.any(Array),
    },
  ])
  expect(states.length).toBeGreaterThanOrEqual(least)
  for (const state of states) expect(MANY).toContainEqual(state)
  expect(readFileSync(damages[0]?.file as string).equals(bytes)).toBe(true)
  expect(readdirSync(root).filter(name => /scratch|draft|salvaged/.test(name))).toEqual([])
  await expectSound(path, journal)
})

test("bytes flipped anywhere lose at most the shards on their pages, and change none", async () => {
  await fill(path)
  const whole = readFileSync(path)
  const flips = array(tuple(integer({ min: 0, max: whole.length - 1 }), integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 12,
  })
  await assert(
    asyncProperty(flips, async places => {
      const at = join(mkdtempSync(join(root, "flips-")), "journal.sqlite")
      const bytes = Buffer.from(whole)
      for (const [place, by] of places) bytes[place] = (bytes[place] ?? 0) ^ by
      writeFileSync(at, bytes)
      const { journal, states } = mend(at)
      for (const state of states) expect(MANY).toContainEqual(state)
      const touched = new Set(places.map(([place]) => Math.floor(place / PAGE_BYTES))).size
      expect(states.length).toBeGreaterThanOrEqual(SHARDS - touched * shardsOnAPage(whole))
      await expectSound(at, journal)
    }),
    { numRuns: 60 },
  )
}, 120_000)

test("a write-ahead log cut off anywhere loses no more than what came after the cut", async () => {
  const live = openJournal(path)
  for (const state of MANY.slice(0, 12)) {
    await live.record(numbered(LEASED, Number(`0x${idOf(state)}`)))
    await live.record(state)
  }
  const log = readFileSync(`${path}-wal`)
  expect(log.length).toBeGreaterThan(PAGE_BYTES)
  await assert(
    asyncProperty(integer({ min: 0, max: log.length }), async length => {
      const at = join(mkdtempSync(join(root, "cut-")), "journal.sqlite")
      copyFileSync(path, at)
      writeFileSync(`${at}-wal`, log.subarray(0, length))
      const { journal, states } = mend(at)
      const recorded = [...MANY.slice(0, 12), ...MANY.map((_, number) => numbered(LEASED, number))]
      for (const state of states) expect(recorded).toContainEqual(state)
      if (length === log.length) expect(states).toHaveLength(12)
      journal.close()
    }),
    { numRuns: 40, examples: [[log.length], [0]] },
  )
  live.close()
})

test("what only the write-ahead log holds is saved from a file whose first page is gone", async () => {
  const states = MANY.slice(0, 8)
  await fill(path, states)
  const live = openJournal(path)
  const later = { ...ABANDONED, assignment: MANY[0]?.assignment } as ShardState
  await live.record(later)
  const at = join(root, "copy.sqlite")
  copyFileSync(path, at)
  copyFileSync(`${path}-wal`, `${at}-wal`)
  live.close()
  const bytes = readFileSync(at)
  writeFileSync(at, bytes.fill(0xaa, 0, PAGE_BYTES))
  const mended = mend(at)
  expect(mended.damages[0]?.salvaged).toBe(8)
  expect(existsSync(`${mended.damages[0]?.file}-wal`)).toBe(true)
  expect(mended.states).toContainEqual(later)
  await expectSound(at, mended.journal)
})

const ROWS: [name: string, why: RegExp, sql: string][] = [
  ["holds other JSON", /bytes have changed/, `state = '{"step":"running"}'`],
  ["holds other JSON of before the checksums", /does not know/, `state = '{"a":1}', crc = NULL`],
  ["holds no JSON", /does not know/, `state = '{"step"', crc = NULL`],
  [
    "is of a future version",
    /does not know/,
    `state = replace(state, '"step":"running"', '"step":"hovering"'), crc = NULL`,
  ],
  ["has the wrong step beside it", /another shard/, "step = 'ran'"],
]

test.for(ROWS)("a row that %s is set aside, and the others go on", async ([, why, sql], { expect }) => {
  const [bad, good] = [numbered(RUNNING, 1), numbered(RUNNING, 2)]
  await fill(path, [bad, good])
  change(`UPDATE shard SET ${sql} WHERE lease = '${idOf(bad)}'`)
  const asItIs = openJournal(path)
  expect(asItIs.open()).toEqual([good])
  asItIs.close()
  const { journal, damages, states } = mend()
  expect(damages).toEqual([
    {
      file: null,
      salvaged: 0,
      rows: [{ lease: idOf(bad), epoch: bad.assignment.lease.epoch, why: expect.stringMatching(why) }],
    },
  ])
  expect(states).toEqual([good])
  const other = new DatabaseSync(path, { readOnly: true })
  expect(other.prepare("SELECT lease FROM aside").all()).toEqual([{ lease: idOf(bad) }])
  other.close()
  await expectSound(path, journal)
})

test("a salvage that a crash cut off before its last step is finished, without the old file's log", async () => {
  await fill(path)
  const saved = readFileSync(path)
  writeFileSync(`${path}.salvaged`, saved)
  writeFileSync(path, Buffer.alloc(PAGE_BYTES * 3, 0xaa))
  writeFileSync(`${path}-wal`, Buffer.alloc(PAGE_BYTES, 0xaa))
  const { journal, states, damages } = mend()
  expect([damages, states.length]).toEqual([[], SHARDS])
  journal.close()
})

test("abandonments are kept until the marketplace has been told of them, also over a restart and a salvage", async () => {
  const [first, second] = [numbered(ABANDONED, 1), numbered(ABANDONED, 2)]
  const journal = openJournal(path)
  await journal.record(first)
  await journal.record(numbered(SETTLED, 3))
  await journal.record(second)
  expect(journal.untold()).toEqual([first, second])
  await journal.told(idOf(first), first.assignment.lease.epoch)
  await journal.told(idOf(first), first.assignment.lease.epoch)
  journal.close()
  overwrite(0, Buffer.alloc(100))
  const mended = mend()
  expect(mended.damages[0]?.salvaged).toBe(3)
  expect(mended.journal.untold()).toEqual([second])
  mended.journal.close()
})

test("a journal of the first version is taken over: what it abandoned is old news", () => {
  const old = new DatabaseSync(path)
  old.exec(`${MIGRATIONS[0]}; PRAGMA user_version = 1`)
  for (const state of [numbered(RUNNING, 1), numbered(ABANDONED, 2)])
    old
      .prepare("INSERT INTO shard VALUES (?, ?, ?, '2026-11-22T00:00:00Z', 0, ?)")
      .run(idOf(state), state.assignment.lease.epoch, state.step, JSON.stringify(state))
  old.close()
  const { journal, damages } = mend()
  expect([damages, journal.untold()]).toEqual([[], []])
  expect(journal.open()).toEqual<OpenState[]>([numbered(RUNNING, 1)])
  journal.close()
})

test("a full disk is not taken for damage", async context => {
  const disk = await mountSmallDisk(context)
  try {
    const [at, fill] = [join(disk.root, "journal.sqlite"), join(disk.root, "fill")]
    const full = () => {
      writeFileSync(fill, "")
      expect(() => writeFileSync(fill, Buffer.alloc(2 << 20))).toThrow("ENOSPC")
    }
    full()
    expect(() => openJournal(at)).toThrow(expect.objectContaining({ code: "disk-full" }))
    expect(() => mend(at)).toThrow(expect.objectContaining({ code: "disk-full" }))
    rmSync(fill)
    const first = mend(at)
    await first.journal.record(RUNNING)
    full()
    await expect(first.journal.record(numbered(PROVED, 2))).rejects.toMatchObject({ code: "disk-full" })
    expect(first.journal.open()).toEqual([RUNNING])
    first.journal.close()
    rmSync(fill)
    const again = mend(at)
    expect([first.damages, again.damages, again.journal.open()]).toEqual([[], [], [RUNNING]])
    again.journal.close()
  } finally {
    await disk.remove()
  }
})

function pages(): number {
  return readFileSync(path).length / PAGE_BYTES
}

function overwrite(place: number, bytes: Buffer): void {
  const whole = readFileSync(path)
  bytes.copy(whole, place)
  writeFileSync(path, whole)
}

function otherDatabase(): void {
  rmSync(path)
  change("CREATE TABLE shard (id INTEGER)")
}

function change(sql: string): void {
  const other = new DatabaseSync(path)
  other.exec(sql)
  other.close()
}

/** The most cells that any page of table rows holds (sqlite.org/fileformat2.html, "B-tree Pages"). */
function shardsOnAPage(file: Buffer): number {
  let most = 1
  for (let start = PAGE_BYTES; start < file.length; start += PAGE_BYTES)
    if (file[start] === 0x0d) most = Math.max(most, file.readUInt16BE(start + 3))
  return most
}
