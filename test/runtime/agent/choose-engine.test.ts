import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { chooseEngine, waysThrough } from "../../../src/runtime/agent/choose-engine.ts"
import { connectEngine } from "../../../src/runtime/container/connect.ts"
import { requireLimits } from "../../../src/runtime/container/limits.ts"
import { factsOf, type PodmanInfo } from "../../../src/runtime/container/podman.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-choose-"))
})
afterAll(() => rm(folder, { recursive: true }))

const runtimes = (...given: Parameters<typeof waysThrough>) =>
  waysThrough(...given).map(({ runtime }) => runtime)

test("gVisor comes first, then the default runtime", () => {
  const facts = { rootless: false, runtimes: ["runc", "runsc-kvm", "runsc", "io.containerd.runc.v2"] }
  expect(runtimes("docker", facts, "auto")).toEqual(["runsc", "runsc-kvm", null])
  expect(runtimes("podman", { rootless: false, runtimes: ["crun"] }, "auto")).toEqual(["runsc", null, "runc"])
  expect(runtimes("podman", { rootless: true, runtimes: ["crun"] }, "auto")).toEqual([null, "runc"])
})

test("a runtime that was named is the only one", () => {
  expect(runtimes("docker", { rootless: false, runtimes: ["runsc"] }, "kata")).toEqual(["kata"])
})

test("an engine without root is stronger than one with, and gVisor stronger than both", () => {
  const strengths = (rootless: boolean) =>
    waysThrough("docker", { rootless, runtimes: ["runsc"] }, "auto").map(({ strength }) => strength)
  expect(strengths(false)).toEqual([2, 0])
  expect(strengths(true)).toEqual([3, 1])
})

/** As Podman 4.3.1 tells of itself, shortened. */
function info(host: Partial<PodmanInfo["host"]>, rootless: boolean): PodmanInfo {
  return {
    host: {
      cgroupVersion: "v2",
      cgroupControllers: ["cpu", "memory", "pids"],
      ociRuntime: { name: "crun" },
      security: { rootless, seccompEnabled: true },
      serviceIsRemote: false,
      ...host,
    },
    version: { Version: "4.3.1" },
  }
}

test("Podman holds the limits whose controllers it has", () => {
  const unheld = (host: Partial<PodmanInfo["host"]>, rootless: boolean) =>
    factsOf(info(host, rootless), null, []).unheld
  expect(unheld({}, true)).toEqual([])
  // What systemd delegates by default in older versions.
  expect(unheld({ cgroupControllers: ["memory", "pids"] }, true)).toEqual(["cpus"])
  expect(unheld({ cgroupVersion: "v1", cgroupControllers: [] }, true)).toEqual(["memory", "cpus", "pids"])
  expect(unheld({ cgroupVersion: "v1" }, false)).toEqual([])
  expect(unheld({ cgroupControllers: null }, true)).toEqual(["memory", "cpus", "pids"])
})

test("an engine that cannot hold a limit is refused with what to do", () => {
  const engine = { name: "podman", cgroupVersion: "2", isolation: "rootless", unheld: ["cpus"] } as const
  expect(() => requireLimits(engine)).toThrow(
    "Podman cannot hold a shard to its share of the CPU on this machine.",
  )
  expect(() => requireLimits({ ...engine, unheld: [] })).not.toThrow()
})

/** A Docker client that says this of its engine. */
async function dockerThatSays(told: object): Promise<string> {
  const program = join(folder, `docker-${Math.random()}`)
  await writeFile(
    program,
    `#!/bin/sh\ncat <<'END'\n${JSON.stringify({ ServerVersion: "24.0.0", ...told })}\nEND\n`,
  )
  await chmod(program, 0o755)
  return program
}

test("Docker without root and without limits is refused, and can be asked all the same", async () => {
  const program = await dockerThatSays({
    SecurityOptions: ["name=seccomp,profile=builtin", "name=rootless"],
    ...{ MemoryLimit: false, CpuCfsQuota: false, PidsLimit: true, CgroupVersion: "1" },
  })
  const signal = AbortSignal.timeout(10_000)
  await expect(connectEngine({ program, signal })).rejects.toMatchObject({
    code: "engine-refused",
    message: expect.stringContaining("memory and share of the CPU"),
    facts: { trouble: "limits-not-held", unheld: "memory cpus" },
  })
  const { facts } = await connectEngine({ program, signal, limits: "reported" })
  expect(facts).toMatchObject({ rootless: true, isolation: "rootless", unheld: ["memory", "cpus"] })
})

test("gVisor passes cards on only through its proxy", async () => {
  const program = await dockerThatSays({
    Runtimes: { runsc: { path: "runsc" }, "runsc-nv": { path: "runsc", runtimeArgs: ["--nvproxy=true"] } },
  })
  const passes = async (runtime: string) =>
    (await connectEngine({ program, runtime, signal: AbortSignal.timeout(10_000) })).facts.passesGpus
  expect(await passes("runsc")).toBe(false)
  expect(await passes("runsc-nv")).toBe(true)
})

test("without any engine, the choice says where to get one", async () => {
  const programs = { docker: join(folder, "docker"), podman: join(folder, "podman") }
  const signal = AbortSignal.timeout(10_000)
  const choosing = chooseEngine({ engine: "auto", runtime: "auto", gpus: false, signal, programs })
  await expect(choosing).rejects.toMatchObject({ code: "engine-missing" })
})
