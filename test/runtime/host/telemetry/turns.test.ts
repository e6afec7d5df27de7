import { execFileSync } from "node:child_process"
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { type Reader, Turns } from "../../../../src/runtime/host/telemetry/turns.ts"
import { until } from "./sample-cards.ts"

const fail = (error: unknown) => {
  throw error
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "zg-turns-"))
  onTestFinished(() => rm(made, { recursive: true }))
  return made
}

/** Reads a file as often as it is asked to, and counts. */
function reading(file: string): Reader & { asked: number; answered: number } {
  return {
    asked: 0,
    answered: 0,
    async read() {
      this.asked += 1
      await readFile(file)
      this.answered += 1
    },
  }
}

test("a read that hangs in a thread holds up no other card, and is not asked again", async () => {
  const root = await folder()
  await writeFile(join(root, "good"), "1")
  execFileSync("mkfifo", [join(root, "hung")])
  const hung = reading(join(root, "hung"))
  const good = Array.from({ length: 7 }, () => reading(join(root, "good")))
  const turns = new Turns(fail)
  for (let round = 1; round <= 5; round++) {
    turns.round([hung, ...good])
    await until(() => good.every(({ answered }) => answered === round))
  }
  expect([hung.asked, hung.answered]).toEqual([1, 0])
  expect([turns.isBusy(hung), turns.isBusy(good[0] as Reader)]).toEqual([true, false])
  // Somebody who writes ends the hanging read.
  await (await open(join(root, "hung"), "w")).close()
  await until(() => hung.answered === 1)
  turns.round([good[0] as Reader])
  await until(() => good[0]?.answered === 6)
})

test("two that hang leave the process its other threads", async () => {
  const root = await folder()
  for (const name of ["a", "b", "c"]) execFileSync("mkfifo", [join(root, name)])
  await writeFile(join(root, "journal"), "1")
  const hung = ["a", "b", "c"].map(name => reading(join(root, name)))
  const turns = new Turns(fail)
  turns.round(hung)
  turns.round(hung)
  await until(() => hung.filter(({ asked }) => asked === 1).length === 2)
  expect((await readFile(join(root, "journal"))).toString()).toBe("1")
  expect(hung[2]?.asked).toBe(0)
  turns.clear()
  expect(turns.isBusy(hung[2] as Reader)).toBe(false)
  for (const name of ["a", "b"]) await (await open(join(root, name), "w")).close()
  await until(() => hung.filter(({ answered }) => answered === 1).length === 2)
  expect(hung[2]?.asked).toBe(0)
})

test("what a reader throws is told, and its lane goes on", async () => {
  const told: unknown[] = []
  const turns = new Turns(error => told.push(error))
  const bad: Reader = { read: () => Promise.reject(new Error("bug")) }
  turns.round([bad])
  await until(() => told.length === 1 && !turns.isBusy(bad))
  expect(told).toEqual([new Error("bug")])
})
