import { chmod, mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { connectEngine } from "../../../src/runtime/container/connect.ts"

const STAND_INS = join(import.meta.dirname, "../../stand-in")
const NOBODY = 65534

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-connect-test-"))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

/** The engine that a PATH with this stand-in first leads to. */
function connect(standIn: string, answerLimitMs = 5000) {
  const path = standIn === "" ? folder : `${join(STAND_INS, standIn)}${delimiter}${process.env.PATH}`
  vi.stubEnv("PATH", path)
  vi.stubEnv("DOCKER_HOST", undefined)
  vi.stubEnv("ZG_TEST_SOCKET", join(folder, "engine.sock"))
  return connectEngine({ signal: AbortSignal.timeout(20_000), answerLimitMs })
}

test("without a docker on PATH, it says where to get one", async () => {
  await expect(connect("")).rejects.toMatchObject({
    code: "engine-missing",
    hint: expect.stringContaining("https://docs.docker.com/engine/install/"),
  })
})

test("an engine that hangs is given up in time", async () => {
  const start = performance.now()
  await expect(connect("silent", 400)).rejects.toMatchObject({
    code: "engine-silent",
    message: "The container engine did not answer within 0.4 s.",
  })
  expect(performance.now() - start).toBeLessThan(3000)
})

test("an engine that is stopped has to be started", async () => {
  await expect(connect("stopped")).rejects.toMatchObject({
    code: "engine-refused",
    hint: expect.stringContaining("sudo systemctl start docker"),
    facts: { trouble: "not-running", stderr: "Cannot connect to the Docker daemon" },
  })
})

/** Runs as nobody where the test runs as root, to whom every socket is open. */
async function asNobody(run: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return run()
  process.seteuid?.(NOBODY)
  try {
    await run()
  } finally {
    process.seteuid?.(0)
  }
}

test("a user who may not use the engine learns how to", async () => {
  const server = createServer().listen({ path: join(folder, "engine.sock") })
  await new Promise(resolve => server.once("listening", resolve))
  await chmod(folder, 0o755)
  await chmod(join(folder, "engine.sock"), 0o000)
  await asNobody(async () => {
    await expect(connect("stopped")).rejects.toMatchObject({
      code: "engine-refused",
      message: "This user may not use the container engine.",
      hint: expect.stringContaining("docker group"),
      facts: { trouble: "not-allowed" },
    })
  })
  await new Promise(resolve => server.close(resolve))
})

test("an aborted connection ends with the signal's reason", async () => {
  const reason = new Error("stop")
  const stop = new AbortController()
  vi.stubEnv("PATH", `${join(STAND_INS, "silent")}${delimiter}${process.env.PATH}`)
  setTimeout(() => stop.abort(reason), 200)
  await expect(connectEngine({ signal: stop.signal })).rejects.toBe(reason)
})
