import { once } from "node:events"
import { existsSync, mkdtempSync } from "node:fs"
import { stat } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"
import { Fault } from "../../../src/protocol/fault.ts"
import { askControl, claimHome, commandAgent, openControl } from "../../../src/runtime/agent/control.ts"
import { type Home, openHome } from "../../../src/runtime/agent/home.ts"
import type { ModeReport } from "../../../src/runtime/agent/status.ts"

const never = new AbortController().signal
const fresh = () => openHome(mkdtempSync(join(tmpdir(), "zg-control-")))

const REPORT: ModeReport = {
  mode: { mode: "paused", since: "2026-11-23T01:02:03.456Z" },
  ...{ changed: true, pid: 7, shards: [], keptUntil: null, unstopped: 0 },
}

test("a command is carried out and answered; what is no command is not", async () => {
  const home = fresh()
  let paused = 0
  const pause = async () => {
    paused += 1
    return REPORT
  }
  await using _ = await openControl(home, () => ({ pid: 7 }), { pause })
  expect(await askControl(home)).toEqual({ pid: 7 })
  expect(paused).toBe(0)
  expect(await commandAgent(home, "pause", never)).toEqual(REPORT)
  expect(paused).toBe(1)
  for (const verb of ["resume", "toString" as "drain"])
    await expect(commandAgent(home, verb as "resume", never)).rejects.toMatchObject({ code: "agent-silent" })
  // A mere reader cannot pause by a GET.
  await execa("curl", ["-s", "--unix-socket", home.socket, "http://agent/pause"], { reject: false })
  expect(paused).toBe(1)
})

test("only its owner may use the socket", async () => {
  const home = fresh()
  const before = process.umask(0)
  try {
    await using _ = await openControl(home, () => ({}))
    expect((await stat(home.socket)).mode & 0o777).toBe(0o600)
  } finally {
    process.umask(before)
  }
})

test("a fault of a command reaches whoever gave it, with its hint", async () => {
  const home = fresh()
  const drain = async () => {
    throw new Fault("disk-full", "No room.", { hint: "Make some." })
  }
  await using _ = await openControl(home, () => ({}), { drain })
  await expect(commandAgent(home, "drain", never)).rejects.toMatchObject({
    ...{ code: "disk-full", message: "No room.", hint: "Make some." },
  })
})

test("with no agent, a command is a fault that says what to do", async () => {
  await expect(commandAgent(fresh(), "pause", never)).rejects.toMatchObject({
    ...{ code: "not-serving", exitCode: 10, hint: expect.stringContaining("zg-agent serve") },
  })
})

/** A process that holds the home as an agent does, with or without its socket. */
async function holder(home: Home, withSocket: boolean) {
  const source = new URL("../../../src/runtime/agent/control.ts", import.meta.url).href
  const program = `const { claimHome, openControl } = await import(${JSON.stringify(source)})
    const home = ${JSON.stringify(home)}
    globalThis.held = await claimHome(home)
    if (${withSocket}) globalThis.control = await openControl(home, () => ({ pid: process.pid }))
    console.log("held"); setInterval(() => {}, 1000)`
  const running = execa(process.execPath, ["--input-type=module", "-e", program], { reject: false })
  await once(running.stdout, "data")
  // A promise of execa's in a promise would be waited for.
  return { running }
}

test.each([true, false])(
  "a home that is served (socket: %s) is refused; after a kill nothing is in the way",
  async withSocket => {
    const home = fresh()
    const { running: other } = await holder(home, withSocket)
    await expect(claimHome(home)).rejects.toMatchObject({ code: "already-serving" })
    other.kill("SIGKILL")
    await other
    expect(existsSync(home.socket)).toBe(withSocket)
    const lock = await claimHome(home)
    await using _ = await openControl(home, () => ({ pid: 1 }))
    expect(await askControl(home)).toEqual({ pid: 1 })
    lock.release()
  },
)

test("an agent that is stopped by the kernel still has its home", async () => {
  const home = fresh()
  const { running: other } = await holder(home, true)
  other.kill("SIGSTOP")
  await expect(claimHome(home)).rejects.toMatchObject({ code: "agent-silent" })
  other.kill("SIGKILL")
  await other
})

test("an answer that is under way when the agent ends still arrives", async () => {
  const home = fresh()
  const answering = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const drain = async () => {
    asked.resolve()
    await answering.promise
    return REPORT
  }
  const control = await openControl(home, () => ({}), { drain })
  const answered = commandAgent(home, "drain", never)
  await asked.promise
  const closed = control[Symbol.asyncDispose]()
  answering.resolve()
  expect(await answered).toEqual(REPORT)
  await closed
})

test("a connection that breaks because the agent has just ended says that none serves", async () => {
  const home = fresh()
  const breaking = createServer(socket => {
    breaking.close()
    socket.destroy()
  })
  await new Promise<void>(resolve => breaking.listen(home.socket, resolve))
  expect(await askControl(home)).toBeNull()
})
