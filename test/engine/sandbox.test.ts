import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { type Bench, engineOrReason, makeBench, outputText, walkToEnd } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)

/** What the container says about itself, section by section. */
const PROBE = `
section() { echo "=== $1"; }
exec > /shard/out/result.txt 2>&1
section status; cat /proc/self/status
section mounts; cat /proc/mounts
section net; ls /sys/class/net
section env; env
section limits; cat /proc/self/limits
section memory; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null
section swap; cat /sys/fs/cgroup/memory.swap.max /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes 2>/dev/null
section pids; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null
section cpu; cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null
section first-process; cat /proc/1/comm
section root-write; echo x > /file || echo refused
section spec-write; echo x > /shard/spec.json || echo refused
section input-write; echo x > /shard/in/data || echo refused
section tmp-exec; cp /bin/cat /tmp/cat && /tmp/cat /dev/null || echo refused
section devices; ls /dev
section place; pwd; cat /proc/sys/kernel/hostname
section engine-socket; ls /var/run/docker.sock /run/docker.sock || echo refused
`

let bench: Bench
let sections: Record<string, string> = {}
beforeAll(async () => {
  if (typeof engine === "string") return
  bench = await makeBench(engine)
  bench.registry.put(Buffer.from("data"))
  const shard = bench.lease({
    argv: ["sh", "-c", PROBE],
    inputs: [{ name: "data", ...bench.blob("data") }],
    env: { LD_PRELOAD: "/mine.so", NVIDIA_VISIBLE_DEVICES: "all", NVIDIA_GDS: "enabled", ANSWER: "4 2" },
    limits: { pids: 61, openFiles: 123 },
    resources: { cpus: 0.5 },
  })
  const { ran } = await walkToEnd(bench, shard)
  const text = await outputText(bench, ran.outputs[0]?.digest as never)
  sections = Object.fromEntries(
    text
      .split("=== ")
      .slice(1)
      .map(part => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1).trim()]),
  )
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const within = test.skipIf(typeof engine === "string")

within("it has no capability, no new privileges, a seccomp filter and a plain user", () => {
  expect(sections.status).toMatch(/^CapEff:\s+0000000000000000$/m)
  expect(sections.status).toMatch(/^CapBnd:\s+0000000000000000$/m)
  expect(sections.status).toMatch(/^NoNewPrivs:\s+1$/m)
  // gVisor filters below the guest's own view and reports 0 there.
  if (typeof engine !== "string" && engine.facts.isolation !== "gvisor")
    expect(sections.status).toMatch(/^Seccomp:\s+2$/m)
  expect(sections.status).toMatch(/^Uid:\s+65532\s+65532\s+65532\s+65532$/m)
  expect(sections.status).toMatch(/^Gid:\s+65532\s+65532\s+65532\s+65532$/m)
  expect(sections.status).toMatch(/^Groups:\s*(65532)?\s*$/m)
})

within("its root, spec and inputs cannot be written, and /tmp cannot be executed", () => {
  expect(sections.mounts).toMatch(/^\S+ \/ \S+ ro[,\s]/m)
  expect(sections.mounts).toMatch(/^\S+ \/tmp tmpfs \S*noexec\S*size=1024k/m)
  expect(sections["root-write"]).toMatch(/Read-only file system[\s\S]*refused/)
  expect(sections["spec-write"]).toMatch(/refused/)
  expect(sections["input-write"]).toMatch(/refused/)
  expect(sections["tmp-exec"]).toMatch(/Permission denied[\s\S]*refused/)
})

within("it sees no network but its own loopback, no engine socket and no device of the host", () => {
  expect(sections.net).toBe("lo")
  expect(sections["engine-socket"]).toMatch(/refused/)
  const usual = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(" ")
  // A kernel with /proc/kcore has a link to it, which no capability opens.
  const devices = sections.devices?.split("\n").filter(name => name !== "core")
  expect(devices?.sort()).toEqual(usual)
})

within("memory without swap, processes, CPU, files and cores are limited", () => {
  const memory = 64 * 2 ** 20
  expect(sections.memory).toBe(String(memory))
  // v1 counts memory and swap together, v2 swap alone.
  expect(["0", String(memory)]).toContain(sections.swap)
  expect(sections.pids).toBe("61")
  expect(["50000", "50000 100000"]).toContain(sections.cpu)
  expect(sections.limits).toMatch(/^Max open files\s+123\s+123\s/m)
  expect(sections.limits).toMatch(/^Max core file size\s+0\s+0\s/m)
  expect(sections.limits).toMatch(new RegExp(`^Max file size\\s+${2 * 2 ** 20}\\s+${2 * 2 ** 20}\\s`, "m"))
})

within(
  "what the image and the buyer set for loaders and GPU tools is overridden, the rest is passed on",
  () => {
    const environment = sections.env?.split("\n")
    expect(environment).toEqual(
      expect.arrayContaining([
        "LD_PRELOAD=",
        "NVIDIA_VISIBLE_DEVICES=void",
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        "NVIDIA_GDS=disabled",
        "ANSWER=4 2",
      ]),
    )
    expect(environment?.filter(line => line.startsWith("LD_PRELOAD"))).toHaveLength(1)
    expect(environment?.filter(line => line.startsWith("NVIDIA_VISIBLE_DEVICES"))).toHaveLength(1)
  },
)

within("the owner's proxies, which Docker's client tells its containers, reach no shard", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zg-proxies-"))
  const secret = "http://user:secret@proxy.example:3128"
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ proxies: { default: { httpProxy: secret, httpsProxy: secret } } }),
  )
  vi.stubEnv("DOCKER_CONFIG", folder)
  try {
    const { ran } = await walkToEnd(bench, bench.lease({ argv: ["sh", "-c", "env > /shard/out/result.txt"] }))
    const text = await outputText(bench, ran.outputs[0]?.digest as never)
    expect(text).toContain("LD_PRELOAD=")
    expect(text).not.toContain("proxy.example")
  } finally {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  }
})

within("an init reaps its processes, and its place is /shard on a host called shard", () => {
  expect(sections["first-process"]).toMatch(/init|tini|catatonit/)
  expect(sections.place).toBe("/shard\nshard")
})
