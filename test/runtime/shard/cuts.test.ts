import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { array, assert, constantFrom, integer, option, property, record } from "fast-check"
import { expect, test } from "vitest"
import { type Digest, digestOf } from "../../../src/protocol/digest.ts"
import { checkpointDigest } from "../../../src/runtime/shard/checkpoint.ts"
import { type Cuts, cutAgain, goneAgain } from "../../../src/runtime/shard/cuts.ts"
import type { Standing } from "../../../src/runtime/shard/state.ts"

const [ONE, TWO] = [digestOf("1"), digestOf("2")]

/** How many cuts a shard survives that stands so at each; null when it survives all of them. */
function survived(standings: Standing[]): number | null {
  let account: Cuts = { cuts: 0 }
  for (const [index, standing] of standings.entries()) {
    const next = cutAgain(account, standing)
    if (next === null) return index
    account = next
  }
  return null
}

const always = (standing: Standing, times = 100) => Array.from({ length: times }, () => standing)

test("a program that ends itself again and again ends soon, whatever it says at the first time", () => {
  expect(survived(always({ step: null, checkpoint: null }))).toBe(3)
  expect(survived(always({ step: 5, checkpoint: null }))).toBe(4)
  expect(survived(always({ step: 5, checkpoint: ONE }))).toBe(4)
})

test("a shard that gets on, by its step or its checkpoint, is cut off 32 times at most", () => {
  expect(survived(always({ step: 0, checkpoint: null }).map((one, step) => ({ ...one, step })))).toBe(32)
  const turns = always({ step: null, checkpoint: null }).map((one, index) => ({
    ...one,
    checkpoint: index % 2 ? ONE : TWO,
  }))
  expect(survived(turns)).toBe(32)
})

test("a step counts as got on only beyond the highest one so far", () => {
  const steps = (...all: number[]) => survived(all.map(step => ({ step, checkpoint: null })))
  expect(steps(7, 3, 7, 5, 6)).toBe(4)
  expect(steps(7, 3, 7, 5, 8, 1, 2, 3)).toBeNull()
  expect(steps(7, 3, 7, 5, 8, 1, 2, 3, 4)).toBe(8)
})

test("whatever happens, an account grows by one, and never beyond 32 cuts or three in a row for nothing", async () => {
  const standing = record({
    step: option(integer({ min: 0, max: 5 })),
    checkpoint: constantFrom<(Digest | null)[]>(null, ONE, TWO),
  })
  await assert(
    property(array(standing, { maxLength: 50 }), standings => {
      let account: Cuts = { cuts: 0 }
      for (const one of standings) {
        const next = cutAgain(account, one)
        if (next === null) return account.cuts === 32 || account.stall?.cuts === 3 || account.cuts === 3
        if (next.cuts !== account.cuts + 1 || next.stall.cuts > 3) return false
        account = next
      }
      return account.cuts <= 32
    }),
  )
})

test("a container that is gone when the watch begins keeps how far the shard was, and counts", () => {
  const account = cutAgain({ cuts: 0 }, { step: 4, checkpoint: ONE })
  expect(goneAgain(account as Cuts)).toEqual({ cuts: 2, stall: { step: 4, checkpoint: ONE, cuts: 0 } })
  expect(goneAgain({ cuts: 32 })).toBeNull()
})

test("two checkpoints are told apart by names, sizes and contents, and what is no file counts nothing", async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-checkpoint-"))
  try {
    expect(await checkpointDigest(join(root, "none"))).toBeNull()
    await symlink("/etc/hostname", join(root, "link"))
    expect(await checkpointDigest(root)).toBeNull()
    const seen = new Set<unknown>()
    const look = async () => seen.add(await checkpointDigest(root))
    await writeFile(join(root, "a"), "one")
    await look()
    await writeFile(join(root, "a"), "two")
    await look()
    await mkdir(join(root, "deep"))
    await look()
    await writeFile(join(root, "deep", "b"), Buffer.alloc(3 << 20))
    await look()
    await writeFile(join(root, "deep", "b"), Buffer.alloc(3 << 20).fill(1, (3 << 20) - 1))
    await look()
    // The empty folder changed nothing.
    expect(seen.size).toBe(4)
  } finally {
    await rm(root, { recursive: true })
  }
})
