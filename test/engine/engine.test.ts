import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { connectEngine } from "../../src/runtime/container/connect.ts"
import { type Bench, engineOrReason, makeBench, outputText, walkToEnd } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const limit = () => AbortSignal.timeout(60_000)
const userConfig = join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json")
const readUserConfig = () => (existsSync(userConfig) ? readFileSync(userConfig, "utf8") : null)

within("a pull logs in at the registry without a trace in the user's own configuration", async () => {
  // A folder of its own: other agents on this machine pull at the same time.
  vi.stubEnv("TMPDIR", bench.root)
  const before = readUserConfig()
  const { image, registry, ports } = bench
  const reference = `${registry.host}/${image.name}@${image.digest}`
  await expect(ports.engine.images.pull(reference, null, limit())).rejects.toMatchObject({
    code: "image-not-pulled",
  })
  const login = { registry: registry.host, user: "zg", password: "a-token-of-the-test" }
  await ports.engine.images.pull(reference, login, limit())
  expect(await ports.engine.images.has(reference, limit())).toBe(true)
  expect(registry.requests.some(({ authorization }) => authorization.startsWith("Basic "))).toBe(true)
  expect(readUserConfig()).toBe(before)
  expect(readdirSync(tmpdir()).filter(name => name.startsWith("zg-login-"))).toEqual([])
  vi.unstubAllEnvs()
})

/** Every Docker client on this machine: their flags and their words differ. */
const onPath = (process.env.PATH ?? "").split(delimiter).map(folder => join(folder, "docker"))
const CLIENTS = [...new Set(onPath.filter(path => existsSync(path)).map(path => realpathSync(path)))]

test.skipIf(typeof engine === "string").for(CLIENTS)(
  "%s walks the whole road",
  async (program, { expect }) => {
    const other = await connectEngine({ signal: limit(), program })
    expect(other.facts).toMatchObject({ name: "docker", filtersCalls: true })
    const version = execFileSync(program, ["version", "--format={{.Server.Version}}"], {
      encoding: "utf8",
    }).trim()
    expect(other.facts.version).toBe(version)
    const ports = { ...bench.ports, engine: other }
    const shard = bench.lease({ argv: ["sh", "-c", "echo x > /shard/out/result.txt"] })
    const { end } = await walkToEnd({ ...bench, ports }, shard)
    expect(end.step).toBe("settled")
  },
)

within("a running container has used CPU time, and one that is gone has no state", async () => {
  const burn = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; sleep 1; echo > /shard/out/result.txt"
  const { ran } = await walkToEnd(bench, bench.lease({ argv: ["sh", "-c", burn] }))
  if (existsSync("/sys/fs/cgroup") && bench.ports.engine.facts.isolation === "runc")
    expect(ran.usage.cpuSeconds).toBeGreaterThan(0.05)
  expect(await bench.ports.engine.state("0".repeat(64), limit())).toBeNull()
})

within(
  "an endless line of 30 MB ends no shard, and what is kept of its log is within its limit",
  async () => {
    const argv = ["sh", "-c", "head -c 30000000 /dev/zero; echo end; echo > /shard/out/result.txt"]
    const { end, ran } = await walkToEnd(bench, bench.lease({ argv, limits: { logMiB: 1 } }))
    expect(end).toMatchObject({ step: "settled" })
    expect(await bench.ports.store.size(ran.log)).toBeLessThanOrEqual(2 ** 20)
    expect(await outputText(bench, ran.log)).toMatch(/end\n?$/)
  },
)

within("a runtime that the engine does not have is refused", async () => {
  await expect(connectEngine({ signal: limit(), runtime: "no-such-runtime" })).rejects.toMatchObject({
    code: "engine-refused",
    facts: { runtime: "no-such-runtime" },
  })
})
