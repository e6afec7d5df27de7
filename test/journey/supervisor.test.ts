import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { lacking, openDatagrams } from "../runtime/agent/datagrams.ts"
import { Town } from "./town.ts"

const why = await lacking()
if (why !== null) process.stderr.write(`tests of a supervisor's socket are skipped: ${why}\n`)

let town: Town
beforeAll(async () => {
  if (why !== null) return
  town = await Town.found()
  await town.register("agent")
}, 60_000)
afterAll(() => town?.close(), 60_000)

test.skipIf(why !== null)(
  "served under a supervisor: ready once it serves, signs of life, its modes, and a stop in order",
  { timeout: 120_000 },
  async () => {
    const socket = join(town.root, "notify")
    const datagrams = await openDatagrams(socket)
    Object.assign(process.env, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "1000000" })
    const program = town.serve("agent")
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC"]) delete process.env[name]
    const until = async (isIt: (said: Record<string, string>) => boolean) => {
      for (;;) {
        const said = await datagrams.next()
        if (isIt(said)) return said
      }
    }
    expect(await datagrams.next()).toMatchObject({ READY: "1", STATUS: expect.stringMatching(/^Serving/) })
    expect(await readFile(program.log, "utf8")).toContain("agent.serving")
    await until(({ WATCHDOG }) => WATCHDOG === "1")
    await town.run("agent", ["pause"])
    await until(({ STATUS }) => STATUS?.startsWith("Paused") ?? false)
    await town.run("agent", ["resume"])
    await until(({ STATUS }) => STATUS?.startsWith("Serving") ?? false)
    await town.run("agent", ["drain", "--wait"])
    expect(await until(({ STOPPING }) => STOPPING === "1")).toHaveProperty("EXTEND_TIMEOUT_USEC")
    expect((await program.process).exitCode).toBe(0)
    await datagrams.close()
  },
)
