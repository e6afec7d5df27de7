import { spawnSync } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openJournal } from "../../../src/runtime/shard/journal.ts"
import type { ShardState } from "../../../src/runtime/shard/state.ts"
import { ABANDONED, COMMITTED, LEASED, PREPARED, PROVED, RAN, RUNNING, SETTLED } from "./sample.ts"

let root: string
let path: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zg-journal-test-"))
  path = join(root, "journal.db")
})
afterEach(() => rm(root, { recursive: true }))

const ALL: ShardState[] = [LEASED, PREPARED, RUNNING, RAN, PROVED, COMMITTED, SETTLED, ABANDONED]

test.for(ALL)("a shard that is $step comes back as it was after a restart", async (state, { expect }) => {
  const journal = openJournal(path)
  await journal.record(LEASED)
  await journal.record(state)
  journal.close()
  const reopened = openJournal(path)
  expect(reopened.history(10).map(entry => entry.state)).toEqual([state])
  expect(reopened.open()).toEqual(state.step === "settled" || state.step === "abandoned" ? [] : [state])
  reopened.close()
})

test("another epoch of a lease is another shard, and totals count what ended", async () => {
  const journal = openJournal(path)
  const again = {
    ...ABANDONED,
    assignment: { ...ABANDONED.assignment, lease: { ...ABANDONED.assignment.lease, epoch: 9 } },
  }
  await Promise.all([journal.record(SETTLED), journal.record(again)])
  expect(journal.totals()).toEqual({ settled: 1, abandoned: 1, earned: 250_000 })
  expect(journal.history(1)).toHaveLength(1)
  journal.close()
})

test("a state is on disk when its record resolves, also if the process is killed then", async () => {
  const program = `
    import { openJournal } from "./src/runtime/shard/journal.ts"
    import { RUNNING } from "./test/runtime/shard/sample.ts"
    await openJournal(process.argv[1]).record(RUNNING)
    process.kill(process.pid, "SIGKILL")`
  const { signal, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module-typescript", "-e", program, path],
    { encoding: "utf8" },
  )
  expect([signal, stderr]).toEqual(["SIGKILL", ""])
  const journal = openJournal(path)
  expect(journal.open()).toEqual([RUNNING])
  journal.close()
})

test("a damaged file is named as such to whoever only reads it, and left as it is", async () => {
  const text = "no database at all, and long enough to be looked at as one".repeat(30)
  await writeFile(path, text)
  expect(() => openJournal(path)).toThrow(expect.objectContaining({ code: "journal-damaged" }))
  expect(await readFile(path, "utf8")).toBe(text)
  await writeFile(path, "")
  expect(() => openJournal(path)).toThrow(expect.objectContaining({ code: "journal-damaged" }))
})
