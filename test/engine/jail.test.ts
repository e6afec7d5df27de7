import { execFile } from "node:child_process"
import { mkdir, readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { jailReport } from "../../src/cli/jail-report.ts"
import { sandboxArgs } from "../../src/runtime/container/sandbox.ts"
import { type JailReport, jail, jailWith } from "../../src/runtime/probe/jail.ts"
import { readJailBundle, verifyJailBundle } from "../../src/runtime/probe/jail-statement.ts"
import { inPlace } from "../../src/runtime/probe/place.ts"
import { requireJail } from "../../src/runtime/probe/require-jail.ts"
import { withContainer } from "../../src/runtime/probe/run.ts"
import { jailPath, testSandbox } from "../../src/runtime/probe/test-sandbox.ts"
import { ensureIdentity } from "../../src/store/identity.ts"
import { groundOrReason, openPlace, type Place } from "./hostile/ground.ts"

const exec = promisify(execFile)
const TEST_LIMIT_MS = 120_000
const limit = () => AbortSignal.timeout(TEST_LIMIT_MS)
const ground = await groundOrReason("the jail test")
const within = test.skipIf(typeof ground === "string")

let place: Place
let honest: JailReport
beforeAll(async () => {
  if (typeof ground === "string") return
  place = await openPlace(ground, limit())
  honest = await jail(place.options(), limit())
}, TEST_LIMIT_MS)
afterAll(() => place?.close(), TEST_LIMIT_MS)

/** The attempts that got through, and the walls that are not there. */
function through({ attempts, violations }: JailReport): string[] {
  const open = attempts.filter(({ outcome }) => outcome === "open" || outcome === "unknown")
  return [...open.map(({ name }) => name), ...violations.map(({ flag }) => flag)]
}

within("in the sandbox that shards get, nothing gets out", () => {
  expect(through(honest)).toEqual([])
  expect(honest).toMatchObject({ passed: true, profile: "strict", disks: place.disks.kind })
  expect(() => requireJail(honest)).not.toThrow()
})

within("what is tolerated says why", () => {
  for (const { outcome, how } of honest.attempts) if (outcome === "tolerated") expect(how).toMatch(/\. .+\.$/)
})

within(
  "with the machine's network, its own sockets are reached, and it is not served from here",
  async () => {
    const swap = (args: string[]) => args.map(arg => arg.replace("--network=none", "--network=host"))
    const loose = await jailWith(place.options(), swap, limit())
    expect(loose.passed).toBe(false)
    const reached = ["machine-loopback", "machine-socket", "arrivals", "--network=none"]
    expect(through(loose)).toEqual(expect.arrayContaining(reached))
    expect(() => requireJail(loose)).toThrow(
      expect.objectContaining({
        code: "jail-broken",
        exitCode: 30,
        facts: expect.objectContaining({ through: expect.stringContaining("machine-loopback") }),
      }),
    )
    const shown = jailReport({ report: loose, bombs: [], signed: null })
    expect(shown).toMatch(/^✖ the network/m)
    expect(shown).toContain("--network=none is not in force")
    expect(shown).toMatch(/attempts got through/)
  },
)

within("the engine's own socket inside is found", async () => {
  const socket = "--volume=/var/run/docker.sock:/var/run/docker.sock"
  const asGroup = async () => `--group-add=${(await stat("/var/run/docker.sock")).gid}`
  const group = await asGroup().catch(() => null)
  if (group === null) return expect(through(honest)).toEqual([])
  const loose = await jailWith(place.options(), args => [socket, group, ...args], limit())
  expect(through(loose)).toContain("engine-socket")
})

within("memory that the machine shares is not found", async ({ skip }) => {
  const made = await exec("ipcmk", ["--shmem", "4096", "--mode", "0666"]).catch(() => null)
  const id = /id: (\d+)/.exec(made?.stdout ?? "")?.[1]
  if (id === undefined) skip("there is no ipcmk to make shared memory with")
  try {
    const { stdout } = await exec("ipcs", ["--shmems"])
    const key = new RegExp(`^(0x[0-9a-f]+)\\s+${id}\\s`, "m").exec(stdout)?.[1]
    expect(key).toBeDefined()
    const attack = (change: (args: string[]) => string[]) =>
      inPlace(
        place.options(),
        { argv: ["jail"] },
        placement =>
          withContainer(
            place.options().engine,
            [...change(sandboxArgs(placement)), `memory-key=${key}`],
            placement.labels,
            async (container, signal) => {
              const lines: string[] = []
              for await (const line of place.options().engine.logs(container, "all", signal)) lines.push(line)
              const { attempts } = JSON.parse(lines.join("\n"))
              return attempts.find((one: { name: string }) => one.name === "shared-memory").outcome
            },
            limit(),
          ),
        limit(),
      )
    expect(await attack(args => args)).toBe("blocked")
    expect(await attack(args => args.map(arg => arg.replace("--ipc=private", "--ipc=host")))).toBe("open")
  } finally {
    await exec("ipcrm", ["--shmem-id", String(id)])
  }
})

within("with the profile jit, that /tmp runs programs is tolerated and told", async () => {
  const report = await jail({ ...place.options(), profile: "jit" }, limit())
  expect(through(report)).toEqual([])
  expect(report.attempts.find(({ name }) => name === "exec-tmp")).toMatchObject({ outcome: "tolerated" })
  expect(report.policy).not.toBe(honest.policy)
})

within("the whole test is signed into the home, and the signature checks", async () => {
  const { engine } = place.options()
  const root = join(place.root, "home")
  await mkdir(root)
  const home = { root, identity: join(root, "identity.pem") }
  const gpu = { device: "cpu" } as const
  const options = {
    engine,
    gpu,
    disks: place.disks,
    profile: "strict",
    addresses: [],
    home,
    full: false,
  } as const
  expect(await testSandbox(options, limit())).toMatchObject({ signed: null })
  expect(await readdir(root)).toEqual([])
  const signer = await ensureIdentity(home.identity)
  const { report, signed } = await testSandbox(options, limit())
  expect(signed).toBe(jailPath(root))
  expect(await engine.find({ home: signer.keyId }, limit())).toEqual([])
  expect((await stat(jailPath(root))).mode & 0o777).toBe(0o600)
  const { predicate } = verifyJailBundle(await readJailBundle(jailPath(root)), signer.publicKey)
  expect(predicate.failedTests).toEqual([])
  expect(predicate.zg_sandbox).toMatchObject({ at: report.at, runtime: report.runtime })
  expect(JSON.parse(await readFile(jailPath(root), "utf8")).report).toEqual(report)
})

within("a test that is given up leaves nothing", async () => {
  const giveUp = new AbortController()
  const trying = jail(place.options(), giveUp.signal)
  giveUp.abort(new Error("enough"))
  await expect(trying).rejects.toThrow("enough")
  expect(await place.options().engine.find({ home: place.home }, limit())).toEqual([])
  expect(await readdir(place.root)).not.toContain("scratch")
})
