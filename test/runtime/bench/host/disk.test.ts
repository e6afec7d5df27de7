import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { constants, existsSync, statfsSync } from "node:fs"
import { chmod, mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterEach, beforeEach, expect, type TestContext, test } from "vitest"
import { measureDisk, planFile } from "../../../../src/runtime/bench/host/disk.ts"
import type { Progress } from "../../../../src/runtime/bench/host/figure.ts"
import { memoryKindOf, openScratchFile } from "../../../../src/runtime/bench/host/scratch-file.ts"
import { mountedDisks } from "../../../../src/runtime/container/disks.ts"
import { skip } from "../../../contract/skip.ts"
import { mountSmallDisk } from "../../../stand-in/small-disk.ts"
import { BRIEF, expectSound, namesOf, watching } from "./sound.ts"

const MIB = 2 ** 20
const SMALL = { ...BRIEF, fileBytes: 8 * MIB, writtenBytes: 2 ** 30 }
const ALL = ["disk-write-sequential", "disk-read-sequential", "disk-read-4k-random", "disk-write-4k-random"]

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zg-disk-"))
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** Skips where temporary files lie in memory, or on a file system that refuses O_DIRECT. */
async function needsDirect(context: TestContext): Promise<void> {
  const kind = await memoryKindOf(root)
  if (kind !== null) skip(context, `temporary files lie in memory (${kind}) here`)
  const { handle, isDirect } = await openScratchFile(root)
  await handle.close()
  if (!isDirect) skip(context, "this file system refuses O_DIRECT")
}

test("reading and writing are measured past the page cache, and nothing is left", async context => {
  await needsDirect(context)
  const { measurements, unmeasured, isDirect } = await measureDisk({ folder: root }, SMALL, watching())
  expect([isDirect, unmeasured]).toEqual([true, []])
  expect(namesOf(measurements)).toEqual(ALL)
  expect(measurements.map(({ unit }) => unit)).toEqual(["B/s", "B/s", "op/s", "op/s"])
  expectSound(measurements)
  expect(await readdir(root)).toEqual([])
})

test("a drive is not worn out: writing ends with what may be written, reading does not", async context => {
  await needsDirect(context)
  const budget = { ...SMALL, writtenBytes: 1 }
  const { measurements } = await measureDisk({ folder: root }, budget, watching())
  expect(measurements.map(({ repeats }) => repeats)).toEqual([1, 3, 3, 1])
})

test("where O_DIRECT is not to be had, only what was synced counts, and it is named so", async context => {
  await needsDirect(context)
  const options = { folder: root, direct: null }
  const { measurements, unmeasured, isDirect } = await measureDisk(options, SMALL, watching())
  expect(isDirect).toBe(false)
  expect(namesOf(measurements)).toEqual(["disk-write-sequential-synced", "disk-write-4k-random-synced"])
  expectSound(measurements)
  expect(namesOf(unmeasured)).toEqual(["disk-read-sequential", "disk-read-4k-random"])
  expect(unmeasured[0]?.reason).toContain("O_DIRECT")
})

test("a file system that refuses the flag is opened without it, and keeps no file", async context => {
  // Newer kernels refuse to create what must be a folder with the same error as O_DIRECT where there is none.
  const flag = constants.O_DIRECTORY
  const path = join(root, "try")
  const refused = await open(path, constants.O_RDWR | constants.O_CREAT | flag).then(
    handle => handle.close().then(() => null),
    error => (error as NodeJS.ErrnoException).code,
  )
  await rm(path, { force: true })
  if (refused !== "EINVAL") skip(context, "this kernel refuses no flag with EINVAL")
  const { handle, isDirect } = await openScratchFile(root, flag)
  expect(isDirect).toBe(false)
  await handle.write("x")
  await handle.close()
  expect(await readdir(root)).toEqual([])
})

test("reads that a cache served are no figure of the disk, whatever the file system says", async context => {
  await needsDirect(context)
  // A flag that changes nothing: as where O_DIRECT is taken and passed over.
  const { measurements, unmeasured } = await measureDisk({ folder: root, direct: 0 }, SMALL, watching())
  const reads = ["disk-read-sequential", "disk-read-4k-random"]
  expect(namesOf(unmeasured)).toEqual(expect.arrayContaining(reads))
  expect(unmeasured[0]?.reason).toContain("No disk of this machine saw")
  expectSound(measurements)
})

test("a folder in memory is no disk", async context => {
  const small = await mountSmallDisk(context)
  try {
    const { measurements, unmeasured, isDirect } = await measureDisk(
      { folder: small.root },
      SMALL,
      watching(),
    )
    expect([measurements, isDirect]).toEqual([[], null])
    expect(namesOf(unmeasured)).toEqual(ALL)
    expect(unmeasured[0]?.reason).toContain("tmpfs")
  } finally {
    await small.remove()
  }
})

/** An ext4 of 64 MiB; skips where this user cannot mount one. */
async function ownDisk(context: TestContext): Promise<string> {
  if (process.getuid?.() !== 0) skip(context, "only root can mount")
  const folder = join(root, "disk")
  await mountedDisks.open(folder, 64, watching().signal).catch(error => {
    if (process.env.CI) throw error
    skip(context, `a file system of 64 MiB cannot be mounted here: ${error.message}`)
  })
  return folder
}

test("a disk that fills up meanwhile costs the figures, and says so", async context => {
  const folder = await ownDisk(context)
  try {
    const another = join(folder, "another")
    const onProgress = () => {
      if (existsSync(another)) return
      const { bavail, bsize } = statfsSync(folder)
      execFileSync("fallocate", [`--length=${bavail * bsize - 2 * MIB}`, another])
    }
    const options = { folder, reserveBytes: 0 }
    const { measurements, unmeasured } = await measureDisk(options, SMALL, { ...watching(), onProgress })
    expect(measurements).toEqual([])
    expect(namesOf(unmeasured)).toEqual(ALL)
    expect(unmeasured[0]?.reason).toContain("filled up")
    expect(await readdir(folder)).toEqual(["another"])
  } finally {
    await mountedDisks.close(folder)
  }
})

test("a disk with less room than others need is left alone", async context => {
  const folder = await ownDisk(context)
  try {
    const { measurements, unmeasured } = await measureDisk({ folder }, SMALL, watching())
    expect(measurements).toEqual([])
    expect(unmeasured[0]?.reason).toMatch(/^Only .* free on this disk/)
  } finally {
    await mountedDisks.close(folder)
  }
})

test("never more than a tenth of what is free, nor into the reserve", () => {
  const ground = fc.record({
    freeBytes: fc.nat(2 ** 31 - 1),
    reserveBytes: fc.nat(2 ** 31 - 1),
    fileBytes: fc.nat(2 ** 31 - 1),
  })
  fc.assert(
    fc.property(ground, one => {
      const plan = planFile(one)
      if ("reason" in plan) return
      expect(plan.fileBytes).toBeLessThanOrEqual(Math.min(one.fileBytes, one.freeBytes / 10))
      expect(one.freeBytes - plan.fileBytes).toBeGreaterThanOrEqual(one.reserveBytes)
      expect(plan.fileBytes % MIB).toBe(0)
      expect(plan.fileBytes).toBeGreaterThanOrEqual(4 * MIB)
    }),
  )
  expect(planFile({ freeBytes: null, reserveBytes: 0, fileBytes: MIB })).toHaveProperty("reason")
})

test("a disk that is read-only says so", async context => {
  const folder = await ownDisk(context)
  try {
    execFileSync("mount", ["-o", "remount,ro", folder])
    const { unmeasured } = await measureDisk({ folder, reserveBytes: 0 }, SMALL, watching())
    expect(namesOf(unmeasured)).toEqual(ALL)
    expect(unmeasured[0]?.reason).toContain("EROFS")
  } finally {
    await mountedDisks.close(folder)
  }
})

test("a folder that this user may not write says so", async context => {
  if (process.getuid?.() === 0) skip(context, "root may write everywhere")
  await needsDirect(context)
  await chmod(root, 0o500)
  const { unmeasured } = await measureDisk({ folder: root }, SMALL, watching())
  expect(unmeasured[0]?.reason).toContain("EACCES")
})

test("an abort ends it at once and leaves nothing", async () => {
  const stop = new AbortController()
  const onProgress = ({ done }: Progress) => {
    if (done === 1) stop.abort(new Error("stopped"))
  }
  const endless = { ...SMALL, repeats: 1e6, limitMs: 600_000 }
  const options = { folder: root, direct: null }
  const kind = await memoryKindOf(root)
  const measuring = measureDisk(options, endless, { signal: stop.signal, onProgress })
  if (kind === null) await expect(measuring).rejects.toThrow("stopped")
  expect(await readdir(root)).toEqual([])
})

test("a process that is killed leaves nothing", async context => {
  await needsDirect(context)
  const child = spawn(process.execPath, [join(import.meta.dirname, "disk-child.ts"), root])
  await once(child.stdout, "data")
  const ended = once(child, "exit")
  child.kill("SIGKILL")
  expect((await ended)[1]).toBe("SIGKILL")
  expect(await readdir(root)).toEqual([])
})

test("a name that was left in the one moment that there is one goes at the next start", async () => {
  await writeFile(join(root, ".zg-bench-left"), "x")
  await writeFile(join(root, "the-owners"), "x")
  const { handle } = await openScratchFile(root)
  await handle.close()
  expect(await readdir(root)).toEqual(["the-owners"])
})
