import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { BOMB_LIMITS, BOMBS, explode } from "../../../src/runtime/probe/bombs.ts"
import { groundOrReason, openPlace, type Place } from "./ground.ts"
import { BOUNDS, type Harm, measured } from "./harm.ts"

const ground = await groundOrReason("the hostile suite's bombs")
const sandboxes = typeof ground === "string" ? [] : [...ground.sandboxes.keys()]
const BOMB_LIMIT_MS = 120_000
const limit = () => AbortSignal.timeout(BOMB_LIMIT_MS)
/** What a file system takes for itself and its names, and gives to the shard when it needs less. */
const DISK_SLACK_MIB = 6

let place: Place
/** Where the engine keeps containers and logs; not every engine's is of this machine. */
let folders: string[] = []
beforeAll(async () => {
  if (typeof ground === "string") return
  place = await openPlace(ground, limit())
  const engineRoot = execFileSync("docker", ["info", "--format={{.DockerRootDir}}"], {
    encoding: "utf8",
  }).trim()
  folders = [place.root, engineRoot].filter(folder => existsSync(folder))
})

const rows: [sandbox: string, bomb: string, how: string, harm: Harm][] = []
afterAll(async () => {
  await place?.close()
  if (rows.length > 0) process.stderr.write(`${table()}\n`)
})

function table(): string {
  const number = (value: number) => value.toFixed(0).padStart(5)
  const lines = rows.map(
    ([sandbox, bomb, how, { memoryMiB, diskMiB, lateMs }]) =>
      `${sandbox.padEnd(12)} ${bomb.padEnd(30)} ${number(memoryMiB)} ${number(diskMiB)} ${number(lateMs)}  ${how}`,
  )
  const { memoryMiB, diskMiB, lateMs } = BOUNDS
  return [
    "What each bomb cost this machine at most: MiB of memory, MiB of disk, milliseconds that a timer was late",
    ...lines,
    `${"bound".padEnd(43)} ${number(memoryMiB)} ${number(diskMiB)} ${number(lateMs)}`,
  ].join("\n")
}

if (typeof ground === "string") test.skip(`not run: ${ground}`, () => {})

describe.for(sandboxes)("on %s", sandbox => {
  test.for(BOMBS)("$name does no harm", { timeout: BOMB_LIMIT_MS }, async (bomb, { expect }) => {
    const { result, harm } = await measured(folders, () => explode(bomb, place.options(sandbox), limit()))
    rows.push([sandbox, bomb.name, result.how.split(". ")[0] ?? "", harm])
    const allowed = bomb.tolerated?.({ disks: place.disks.kind }) == null ? ["blocked"] : ["tolerated"]
    expect(allowed, result.how).toContain(result.outcome)
    for (const what of ["memoryMiB", "diskMiB", "lateMs"] as const)
      expect(harm[what], what).toBeLessThan(BOUNDS[what])
  })

  test("a disk takes what was leased and little more", async ({ skip }) => {
    if (place.disks.kind === "watched") skip("this user or kernel cannot mount: sizes are watched, not held")
    const kept = {
      "/shard/out": BOMB_LIMITS.outMiB,
      "/tmp": BOMB_LIMITS.tmpMiB,
      "/dev/shm": BOMB_LIMITS.shmMiB,
    }
    for (const [folder, mib] of Object.entries(kept)) {
      const row = rows.find(([on, bomb]) => on === sandbox && bomb === `disk-filler ${folder}`)
      const kib = Number(/after (\d+) KiB/.exec(row?.[2] ?? "")?.[1])
      expect(kib / 1024, folder).toBeGreaterThanOrEqual(mib * 0.9)
      expect(kib / 1024, folder).toBeLessThan(mib + DISK_SLACK_MIB)
    }
  })

  test("no container is left", async () => {
    expect(await place.left()).toEqual([])
  })
})
