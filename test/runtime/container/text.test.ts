import fc from "fast-check"
import { expect, test } from "vitest"
import { cpuCgroup, cpuSecondsOf } from "../../../src/runtime/container/cgroup.ts"
import { printable, stderrFact } from "../../../src/runtime/container/docker.ts"
import { linesOf } from "../../../src/runtime/container/lines.ts"

async function linesIn(pieces: Uint8Array[], limit: number): Promise<string[]> {
  async function* source() {
    yield* pieces
  }
  const lines: string[] = []
  for await (const line of linesOf(source(), limit)) lines.push(line)
  return lines
}

test("lines are the same however the bytes are cut into pieces", async () => {
  const text = fc.array(fc.stringMatching(/^[a-zé☃]{0,12}$/), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      async (lines, cuts) => {
        const bytes = Buffer.from(lines.map(line => `${line}\n`).join(""))
        const pieces: Uint8Array[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1
          pieces.push(bytes.subarray(at, at + size))
          at += size
        }
        expect(await linesIn(pieces, 1000)).toEqual(lines)
      },
    ),
  )
})

test("a line over the limit is cut, the next one is whole, and the last needs no end", async () => {
  const endless = Array.from({ length: 100 }, () => Buffer.alloc(1000, "x"))
  expect(await linesIn([...endless, Buffer.from("\nnext\nlast")], 5)).toEqual(["xxxxx", "next", "last"])
})

test("control characters and direction marks of a stranger's text go", () => {
  expect(printable("a\u001b[2Jb\u0007\u202ec\r\nd")).toBe("a [2Jb c d")
  expect(stderrFact(` ${"x".repeat(2000)} \n`)).toHaveLength(600)
})

test("the CPU's cgroup is found in both versions and in the mix of both", () => {
  const v1 = "12:pids:/docker/ab\n4:cpu,cpuacct:/docker/ab\n0::/docker/ab\n"
  expect(cpuCgroup(v1)).toEqual({ version: 1, path: "cpu,cpuacct/docker/ab" })
  expect(cpuCgroup("3:cpuacct:/docker/ab\n0::/\n")).toEqual({ version: 1, path: "cpuacct/docker/ab" })
  expect(cpuCgroup("0::/system.slice/docker-ab.scope\n")).toEqual({
    version: 2,
    path: "system.slice/docker-ab.scope",
  })
  expect(cpuCgroup("0::/\n")).toBeNull()
  expect(cpuCgroup("")).toBeNull()
})

test("a process that is gone has used an unknown time", async () => {
  expect(await cpuSecondsOf(2 ** 30)).toBeNull()
})
