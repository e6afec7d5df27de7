import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { Fault } from "../../../src/protocol/fault.ts"
import type { EngineFacts } from "../../../src/runtime/container/engine.ts"
import { judgeCdi, parseSpec, readSpecs } from "../../../src/runtime/doctor/checks/cdi.ts"
import { judgeClock } from "../../../src/runtime/doctor/checks/clock.ts"
import { judgeSpace } from "../../../src/runtime/doctor/checks/disk-space.ts"
import { judgeSpeed, writeSpeed } from "../../../src/runtime/doctor/checks/disk-speed.ts"
import { engineTrouble, judgeEngine } from "../../../src/runtime/doctor/checks/engine.ts"
import { judgeVersions } from "../../../src/runtime/doctor/checks/engine-version.ts"
import { judgeNodes, remedyFor } from "../../../src/runtime/doctor/checks/gpu-in-container.ts"
import { judgeDetection } from "../../../src/runtime/doctor/checks/gpus.ts"
import { judgeJailReport } from "../../../src/runtime/doctor/checks/jail.ts"
import { judgeStrays } from "../../../src/runtime/doctor/checks/leftovers.ts"
import { judgeMemory } from "../../../src/runtime/doctor/checks/memory.ts"
import { judgeToolkit } from "../../../src/runtime/doctor/checks/nvidia-toolkit.ts"
import { judgePorts } from "../../../src/runtime/doctor/checks/ports.ts"
import { judgePower } from "../../../src/runtime/doctor/checks/power-limit.ts"
import { judgeAccess } from "../../../src/runtime/doctor/checks/rocm-access.ts"
import { judgeFlags } from "../../../src/runtime/doctor/checks/sandbox-flags.ts"
import { judgeStateFolder } from "../../../src/runtime/doctor/checks/state-folder.ts"
import { judgeSupervision } from "../../../src/runtime/doctor/checks/systemd.ts"
import { judgeKind } from "../../../src/runtime/doctor/checks/wsl.ts"
import { parseEngineInfo, parsePodmanInfo } from "../../../src/runtime/doctor/engine-info.ts"
import { findToolkit } from "../../../src/runtime/host/escapes/find-toolkit.ts"
import { BUILT_IN } from "../../../src/runtime/host/escapes/minimum-versions.ts"
import { type DetectedGpu, UNREPORTED } from "../../../src/runtime/host/gpu.ts"
import type { JailReport } from "../../../src/runtime/probe/jail.ts"

const GIB = 2 ** 30
const UUIDS = [1, 2].map(n => `GPU-${n}f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0`) as [string, string]

function card(over: Partial<DetectedGpu> = {}): DetectedGpu {
  return {
    ...UNREPORTED,
    index: 0,
    vendor: "nvidia",
    name: "NVIDIA GeForce RTX 3090",
    vramTotalMiB: 24_576,
    backends: ["cuda"],
    health: "ok",
    offerable: true,
    reasons: [],
    ...over,
  }
}

test.each([
  ["6.8.0-49-generic", true, true, "ok", "not WSL"],
  ["5.15.90.1-microsoft-standard-WSL2", true, true, "ok", "with the NVIDIA driver of Windows"],
  ["5.15.90.1-microsoft-standard-WSL2", true, false, "ok", "no NVIDIA driver"],
  ["5.15.90.1-microsoft-standard-WSL2", false, false, "warning", "/dev/dxg is missing"],
  ["4.4.0-19041-Microsoft", false, false, "failed", "WSL1"],
])("kernel %s, dxg %s, nvidia-smi %s: %s", (kernel, hasDxg, hasNvidiaSmi, state, words) => {
  const finding = judgeKind({ kernel, hasDxg, hasNvidiaSmi, inContainer: false })
  expect(finding).toMatchObject({ state, fact: expect.stringContaining(words) })
})

test("a user's unit that ends with the log-in is told; a machine without systemd is not at fault", () => {
  const seen = { init: "systemd", systemUnit: null, userUnit: "/u", lingers: false, user: "host" }
  expect(judgeSupervision(seen)).toMatchObject({
    state: "warning",
    command: "sudo loginctl enable-linger host",
  })
  expect(judgeSupervision({ ...seen, lingers: true }).state).toBe("ok")
  expect(judgeSupervision({ ...seen, systemUnit: "/s" }).state).toBe("ok")
  expect(judgeSupervision({ ...seen, init: "tini" }).state).toBe("skipped")
})

test("an open identity fails, an open folder warns, each with its command and its fix", () => {
  const folder = { path: "/srv/my rig", mode: 0o755, uid: 1000 }
  const identity = { path: "/srv/my rig/identity.pem", mode: 0o640, uid: 1000 }
  const both = judgeStateFolder(folder, identity, 1000)
  expect(both).toMatchObject({
    state: "failed",
    command: "chmod 700 '/srv/my rig'\nchmod 600 '/srv/my rig/identity.pem'",
    fixes: [
      { kind: "run", argv: ["chmod", "700", folder.path] },
      { kind: "run", argv: ["chmod", "600", identity.path] },
    ],
  })
  expect(judgeStateFolder(folder, null, 1000).state).toBe("warning")
  expect(judgeStateFolder({ ...folder, mode: 0o700 }, null, 1000).state).toBe("ok")
  const foreign = judgeStateFolder({ ...folder, mode: 0o700 }, null, 0)
  expect(foreign).toMatchObject({ state: "warning", fixes: [] })
})

test("the clock is judged by the middle of the request", () => {
  const date = new Date("2026-11-22T12:00:00Z")
  const middle = date.getTime() + 500
  const at = (aheadS: number) =>
    judgeClock(date.toUTCString(), middle + aheadS * 1000 - 400, middle + aheadS * 1000 + 400)
  expect([at(0), at(2), at(-2)].map(({ state }) => state)).toEqual(["ok", "ok", "ok"])
  expect([at(2.1), at(-10)].map(({ state }) => state)).toEqual(["warning", "warning"])
  expect(at(-10.1)).toMatchObject({ state: "failed", fact: expect.stringContaining("10.1 s behind") })
  expect(at(3600)).toMatchObject({ state: "failed", command: "sudo timedatectl set-ntp true" })
  expect(judgeClock(null, 0, 0).state).toBe("skipped")
  fc.assert(
    fc.property(fc.string(), text => {
      expect(judgeClock(text, 0, 1).fact).not.toContain("NaN")
    }),
  )
})

test("a port that another program holds, and a socket that nobody holds", () => {
  expect(judgePorts({ metrics: "free", servingPid: null, socket: null }).state).toBe("ok")
  expect(judgePorts({ metrics: "taken", servingPid: 7, socket: "/h/agent.sock" }).state).toBe("ok")
  expect(judgePorts({ metrics: "taken", servingPid: null, socket: null })).toMatchObject({
    state: "warning",
    fact: expect.stringContaining("9464"),
    fixes: [],
  })
  expect(judgePorts({ metrics: "free", servingPid: null, socket: "/h/agent.sock" })).toMatchObject({
    state: "warning",
    fixes: [{ kind: "remove-socket", path: "/h/agent.sock" }],
  })
})

test("RAM below VRAM and fewer cores than cards are both told", () => {
  expect(judgeMemory({ ramBytes: 64 * GIB, cpus: 8, vramMiB: [24_576, null] }).state).toBe("ok")
  expect(judgeMemory({ ramBytes: 4 * GIB, cpus: 2, vramMiB: [] }).state).toBe("ok")
  const rig = judgeMemory({ ramBytes: 4 * GIB, cpus: 2, vramMiB: Array(8).fill(8192) })
  expect(rig.state).toBe("warning")
  expect(rig.remedy?.split("\n")).toHaveLength(2)
})

test("disk space: the worst disk decides, and each is listed", () => {
  const disk = (what: string, gib: number) => ({ what, path: `/${what}`, freeBytes: gib * GIB })
  expect(judgeSpace([disk("state", 50)]).state).toBe("ok")
  expect(judgeSpace([disk("state", 200), disk("images", 49)]).state).toBe("warning")
  const full = judgeSpace([disk("state", 200), disk("images", 4.9)])
  expect(full).toMatchObject({
    state: "failed",
    fact: "200 GiB free for state (/state)\n4.9 GiB free for images (/images)",
  })
})

test("the disk's speed is measured, and nothing is left behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zg-disk-"))
  const speed = await writeSpeed(folder, new AbortController().signal)
  expect(speed).toBeGreaterThan(0)
  expect(readdirSync(folder)).toEqual([])
  await expect(writeSpeed(folder, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough")
  expect(readdirSync(folder)).toEqual([])
  expect([judgeSpeed(8.2).state, judgeSpeed(50).state]).toEqual(["warning", "ok"])
})

const stopped = new Fault("engine-refused", "It is installed but not running.", {
  hint: "Start it.",
  facts: { trouble: "not-running", stderr: "" },
})

test.each([
  [true, true, "sudo systemctl start docker", 1],
  [true, false, "sudo systemctl start docker", 0],
  [false, true, "sudo service docker start", 0],
])("a stopped engine with systemd %s, as root %s", (hasSystemd, isRoot, command, fixes) => {
  const finding = engineTrouble(stopped, { hasSystemd, isRoot })
  expect(finding).toMatchObject({ state: "failed", command })
  expect(finding.fixes).toHaveLength(fixes)
})

test("an engine that is missing, and one without seccomp", () => {
  const missing = new Fault("engine-missing", "No container engine was found.", { hint: "Install Docker." })
  const here = { hasSystemd: true, isRoot: true }
  expect(engineTrouble(missing, here)).toMatchObject({
    command: expect.stringContaining("get.docker.com"),
    fixes: [],
  })
  const facts: EngineFacts = {
    name: "docker",
    version: "28.2.2",
    runtime: "runc",
    runtimeFlag: null,
    filtersCalls: false,
    isolation: "runc",
    rootless: false,
    cgroupVersion: "2",
    unheld: [],
    cdiDevices: [],
    runtimes: ["runc"],
    passesGpus: true,
  }
  expect(judgeEngine(facts).state).toBe("failed")
  expect(judgeEngine({ ...facts, filtersCalls: true }).state).toBe("ok")
})

test.each([
  ["28.2.2", "1.2.8", null, "ok"],
  ["28.2.2", "1.2.5", null, "failed"],
  ["24.0.9", "1.3.3", null, "warning"],
  ["19.03.15", "1.3.3", null, "failed"],
  ["20.10.24+dfsg1", "1.3.3", null, "ok"],
  ["20.10.24+dfsg1", "1.1.5+ds1-1+deb12u1", null, "warning"],
  ["20.10.24+dfsg1", "1.1.5+ds1-1+deb12u1", ["CVE-2024-21626"], "warning"],
  [
    ...(["20.10.24+dfsg1", "1.1.5+ds1-1+deb12u9"] as const),
    ["CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"],
    "ok",
  ],
  ["unheard of", "unheard of", null, "warning"],
])("Docker %s with runc %s, of which %j are mended: %s", (engine, runc, mended, state) => {
  const components = [{ name: "runc", version: runc }]
  const finding = judgeVersions({
    engine: { name: "docker", version: engine },
    components,
    table: BUILT_IN,
    mended,
    packages: "apt",
  })
  expect(finding.state).toBe(state)
  if (state !== "ok") expect(finding.remedy).toMatch(/./)
})

test("what Debian's and Docker's own engines tell of themselves", () => {
  const debian = parseEngineInfo(
    { Runtimes: { runc: {}, runsc: {} }, DockerRootDir: "/var/lib/docker", CDISpecDirs: null },
    {
      Server: {
        Components: [
          { Name: "runc", Version: "1.1.5+ds1", Details: { GitCommit: "1.1.5+ds1-1+deb12u1" } },
          { Name: "docker-init", Version: "0.19.0", Details: null },
        ],
      },
    },
  )
  expect(debian).toEqual({
    runtimes: ["runc", "runsc"],
    rootDir: "/var/lib/docker",
    cdiSpecDirs: null,
    desktop: false,
    rootless: false,
    components: [
      { name: "runc", version: "1.1.5+ds1-1+deb12u1" },
      { name: "docker-init", version: "0.19.0" },
    ],
  })
  const own = parseEngineInfo(
    { SecurityOptions: ["name=rootless"], CDISpecDirs: ["/etc/cdi"], OperatingSystem: "Docker Desktop" },
    {
      Server: {
        Components: [{ Name: "runc", Version: "1.2.5", Details: { GitCommit: "v1.2.5-0-g59923ef" } }],
      },
    },
  )
  expect(own).toMatchObject({ rootless: true, desktop: true, cdiSpecDirs: ["/etc/cdi"] })
  expect(own.components).toEqual([{ name: "runc", version: "1.2.5" }])
})

test("what Podman tells of itself, by the runtime that shards get", () => {
  const host = { ociRuntime: { name: "crun", version: "crun version 1.8.1\ncommit: f8a096b" } }
  const info = { host: { ...host, security: { rootless: true } }, store: { graphRoot: "/var/lib/storage" } }
  expect(parsePodmanInfo(info)).toEqual({
    runtimes: ["crun"],
    rootDir: "/var/lib/storage",
    cdiSpecDirs: null,
    desktop: false,
    rootless: true,
    components: [{ name: "crun", version: "1.8.1" }],
  })
  const judged = (version: string) =>
    judgeVersions({
      engine: { name: "podman", version },
      ...{ components: [], table: BUILT_IN, mended: null, packages: "apt" as const },
    })
  expect(judged("4.3.1")).toMatchObject({ state: "ok", fact: "Podman 4.3.1" })
  expect(judged("3.4.4")).toMatchObject({ state: "warning", fact: expect.stringContaining("older than 4.3") })
})

test("a hostile container that is not held fails, with what got through", () => {
  const held = {
    passed: true,
    attempts: [{ name: "mount", outcome: "blocked", how: "EPERM" }],
    violations: [],
  }
  expect(judgeJailReport(held as unknown as JailReport)).toMatchObject({ state: "ok" })
  const open = { ...held, passed: false, attempts: [{ name: "mount", outcome: "open", how: "went through" }] }
  expect(judgeJailReport(open as unknown as JailReport)).toMatchObject({
    state: "failed",
    fact: expect.stringContaining("mount: went through"),
  })
})

test("a wall that does not stand fails with what was seen", () => {
  expect(judgeFlags([], ["--cpus"])).toMatchObject({ state: "ok", fact: expect.stringContaining("--cpus") })
  const broken = judgeFlags([{ flag: "--read-only", wanted: "read-only", seen: "writable" }], [])
  expect(broken).toMatchObject({ state: "failed", fact: expect.stringContaining("--read-only") })
})

const cuda = { device: "cuda", uuid: UUIDS[0], through: "gpus" } as const

test("a card inside a container: there, missing, closed, or not alone", () => {
  const nodes = { ok: true, missing: [], denied: [], foreign: [] }
  expect(judgeNodes("GPU 0", cuda, nodes).state).toBe("ok")
  const broken = judgeNodes("GPU 0", cuda, {
    ...{
      ok: false,
      missing: ["/dev/nvidia-uvm"],
      denied: ["/dev/nvidia0 (EPERM)"],
      foreign: ["/dev/nvidia1"],
    },
  })
  expect(broken.state).toBe("failed")
  for (const node of ["/dev/nvidia-uvm", "/dev/nvidia0 (EPERM)", "/dev/nvidia1"])
    expect(broken.fact).toContain(node)
  expect(judgeNodes("GPU 0", cuda, { ...nodes, ok: false, foreign: ["/dev/nvidia1"] }).state).toBe("failed")
})

test.each([
  ['could not select device driver "" with capabilities: [[gpu]]', "nvidia-ctk runtime configure"],
  ["CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=x", "cdi generate"],
  ["nvidia-container-cli: initialization error: nvml error: driver/library version mismatch", "reboot"],
])("what the engine says of a card: %s", (said, command) => {
  expect(remedyFor(cuda, said, "").command).toContain(command)
  const rocm = { device: "rocm", renderNode: "/dev/dri/renderD128", group: 105 } as const
  expect(remedyFor(rocm, said, "").command).toContain("/dev/kfd")
})

test("stopped strays can be removed, running ones are only told", () => {
  expect(judgeStrays({ stopped: [], running: [] }).state).toBe("ok")
  expect(judgeStrays({ stopped: [], running: ["b".repeat(64)] })).toMatchObject({
    state: "warning",
    fixes: [],
  })
  const both = judgeStrays({ stopped: ["a".repeat(64)], running: ["b".repeat(64)] })
  expect(both.fixes).toEqual([{ kind: "run", argv: ["docker", "rm", "--volumes", "a".repeat(64)] }])
  expect(both.command).toContain(`--force --volumes ${"a".repeat(12)} ${"b".repeat(12)}`)
})

test("every card and every problem is told, and the same card once", () => {
  const finding = judgeDetection({
    gpus: [
      card({ index: 0 }),
      card({ index: 1 }),
      card({ index: 2, health: "lost", offerable: false, reasons: ["Restart the machine."] }),
      card({
        index: 3,
        vendor: "amd",
        name: "RX 570",
        offerable: false,
        reasons: ["ROCm has left it behind."],
      }),
    ],
    problems: [{ source: "rocm-smi", message: "It hangs.", hint: "Run `sudo dmesg -T` to see why." }],
  })
  expect(finding).toMatchObject({ state: "failed", command: "sudo dmesg -T" })
  expect(finding.fact.split("\n")).toEqual([
    "rocm-smi: It hangs.",
    "GPU 0, 1: NVIDIA GeForce RTX 3090, 24.0 GiB",
    "GPU 2: NVIDIA GeForce RTX 3090, 24.0 GiB; lost",
    "GPU 3: RX 570, 24.0 GiB; cannot run shards: ROCm has left it behind.",
  ])
  expect(judgeDetection({ gpus: [], problems: [] }).state).toBe("skipped")
  expect(judgeDetection({ gpus: [card({ offerable: false, reasons: ["x"] })], problems: [] }).state).toBe(
    "ok",
  )
})

test("a toolkit: old, a distribution's, current, silent, missing", async () => {
  const judge = (version: string | null) =>
    judgeToolkit({ program: "nvidia-ctk", version }, BUILT_IN, "apt").state
  expect(["1.16.1", "1.17.4+ds-1", "1.18.1", null].map(judge)).toEqual(["failed", "warning", "ok", "warning"])
  expect(judgeToolkit(null, BUILT_IN, "dnf")).toMatchObject({
    state: "failed",
    command: expect.stringContaining("dnf install -y nvidia-container-toolkit"),
  })
  expect(judgeToolkit(null, BUILT_IN, null).command).toMatch(/^sudo nvidia-ctk/)
})

test("the toolkit on PATH tells its version", async () => {
  const { PATH } = process.env
  process.env.PATH = `${join("test", "stand-in")}:${PATH}`
  process.env.ZG_TEST_TOOLKIT = "1.17.4"
  try {
    const found = await findToolkit(new AbortController().signal)
    expect(found).toEqual({ program: "nvidia-ctk", version: "1.17.4" })
  } finally {
    process.env.PATH = PATH
  }
})

const cdi = { cards: [card({ uuid: UUIDS[0] })], damaged: [], found: null, canGenerate: false }
const named = (...names: string[]) => names.map(name => `nvidia.com/gpu=${name}`)

test("CDI specifications against the cards that are there", () => {
  expect(judgeCdi({ ...cdi, named: named("0", UUIDS[0], "all") }).state).toBe("ok")
  expect(judgeCdi({ ...cdi, named: [] })).toMatchObject({ state: "warning", fixes: [] })
  expect(judgeCdi({ ...cdi, named: named("0", "all") }).fact).toContain("by number")
  expect(judgeCdi({ ...cdi, named: named(UUIDS[1]) }).fact).toMatch(
    /lacks .* and names .* not in this machine/,
  )
  const fixes = [{ kind: "run", argv: ["nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml"] }]
  expect(judgeCdi({ ...cdi, named: [], canGenerate: true }).fixes).toEqual(fixes)
  const slice = { ...{ gpuInstance: 1, computeInstance: 0, profile: null }, vramTotalMiB: 9, vramUsedMiB: 0 }
  const mig = [{ uuid: `MIG-${UUIDS[0].slice(4)}`, ...slice }]
  const sliced = { ...cdi, cards: [card({ uuid: UUIDS[0], mig })] }
  expect(judgeCdi({ ...sliced, named: named(`MIG-${UUIDS[0].slice(4)}`) }).state).toBe("ok")
  expect(judgeCdi({ ...cdi, cards: [card({ vendor: "amd" })], named: [] }).state).toBe("ok")
})

test("specifications are read as they lie in a folder, damaged ones by name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zg-cdi-"))
  mkdirSync(join(folder, "deeper.yaml"))
  writeFileSync(join(folder, "notes.txt"), "kind: [")
  writeFileSync(
    join(folder, "nvidia.yaml"),
    `cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n  - name: "0"\n    containerEdits: {}\n  - name: ${UUIDS[0]}\n`,
  )
  writeFileSync(join(folder, "amd.json"), JSON.stringify({ kind: "amd.com/gpu", devices: [{ name: "all" }] }))
  writeFileSync(join(folder, "old.yml"), "kind: [")
  const { named: names, damaged } = await readSpecs([folder, join(folder, "nowhere")])
  expect([...names].sort()).toEqual(["amd.com/gpu=all", "nvidia.com/gpu=0", `nvidia.com/gpu=${UUIDS[0]}`])
  expect(damaged.map(text => text.split(":")[0])).toEqual(
    ["deeper.yaml", "old.yml"].map(name => join(folder, name)),
  )
})

test("any text is a specification or an error with words, never anything else", () => {
  fc.assert(
    fc.property(fc.string(), text => {
      try {
        expect(typeof parseSpec(text).kind).toBe("string")
      } catch (error) {
        expect((error as Error).message).toMatch(/./)
      }
    }),
  )
})

const GROUPS = "root:x:0:\nvideo:x:44:host\nrender:x:105:host,other\n"
const rocm = {
  nodes: [
    { path: "/dev/kfd", group: 105, usable: true },
    { path: "/dev/dri/renderD128", group: 105, usable: true },
  ],
  ...{ caller: { name: "host", isRoot: false, sudoUser: null }, rootless: false, groups: GROUPS },
}

test("ROCm's devices: usable, closed, missing, and for the user behind sudo", () => {
  expect(judgeAccess(rocm)).toMatchObject({
    state: "ok",
    fact: expect.stringContaining("renderD128 (group 105, render)"),
  })
  const closed = rocm.nodes.map(node => ({ ...node, usable: false }))
  const stranger = { ...rocm.caller, name: "guest" }
  expect(judgeAccess({ ...rocm, nodes: closed, caller: stranger })).toMatchObject({
    state: "warning",
    command: "sudo usermod -aG render,video $USER",
    fixes: [],
  })
  expect(judgeAccess({ ...rocm, nodes: closed, caller: stranger, rootless: true }).state).toBe("failed")
  expect(judgeAccess({ ...rocm, nodes: closed })).toMatchObject({
    state: "warning",
    remedy: expect.stringContaining("log out"),
  })
  expect(judgeAccess({ ...rocm, nodes: [{ path: "/dev/kfd", group: null, usable: false }] }).state).toBe(
    "failed",
  )
  const sudo = (sudoUser: string) => ({ ...rocm, caller: { name: "root", isRoot: true, sudoUser } })
  expect(judgeAccess(sudo("other"))).toMatchObject({ state: "ok", fixes: [] })
  expect(judgeAccess(sudo("guest"))).toMatchObject({
    state: "warning",
    fixes: [{ kind: "run", argv: ["usermod", "--append", "--groups", "render,video", "guest"] }],
  })
})

test("power limits are facts", () => {
  const cards = [350, 350, null].map((powerLimitW, index) => card({ index, powerLimitW }))
  expect(judgePower(cards).fact).toBe("GPU 0, 1: 350 W; GPU 2: not reported; 700 W together")
  expect(judgePower([card()]).state).toBe("skipped")
  expect(judgePower([]).state).toBe("skipped")
})
