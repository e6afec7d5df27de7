import { access, constants, readFile } from "node:fs/promises"
import { isAbsolute } from "node:path"
import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import { cdiDevices } from "./cdi.ts"
import type { ConnectOptions } from "./connect.ts"
import { podmanDialect, withSentry } from "./dialect.ts"
import { callDocker, stderrFact } from "./docker.ts"
import { Engine, type EngineFacts } from "./engine.ts"
import type { HeldLimit } from "./limits.ts"

/** Where Podman looks for its own init (containers.conf(5), `init_path`, and the distributions' packages). */
const OWN_INITS = [
  "/usr/libexec/podman/catatonit",
  "/usr/lib/podman/catatonit",
  "/usr/local/libexec/podman/catatonit",
]
/** Static ones, for they stand beside the image's files: Docker's, and those of the distributions. */
const OTHER_INITS = [
  "/usr/bin/catatonit",
  "/usr/libexec/docker/docker-init",
  "/usr/bin/docker-init",
  "/usr/bin/tini-static",
]

/** gVisor without a network of its own, on the platform that its version prefers: systrap, or ptrace before 2023. */
const GVISOR_FLAGS = ["network=none"]

const Info = z.object({
  host: z.object({
    cgroupVersion: z.string().default("v1"),
    cgroupControllers: z.array(z.string()).nullish(),
    ociRuntime: z.object({ name: z.string().min(1) }),
    security: z.object({ rootless: z.boolean(), seccompEnabled: z.boolean() }),
    serviceIsRemote: z.boolean().default(false),
  }),
  version: z.object({ Version: z.string().min(1) }),
})
export type PodmanInfo = z.infer<typeof Info>

/**
 * Asks Podman who it is.
 * @throws Fault `engine-missing`, `engine-silent`, `engine-refused` (no such runtime, no init, or Podman's own refusal).
 */
export async function connectPodman(
  { signal, runtime: wanted, cdiFolders }: ConnectOptions,
  program: string,
  timeoutMs: number,
): Promise<Engine> {
  const globals = wanted === undefined ? [] : [`--runtime=${wanted}`]
  const { stdout, stderr } = await callDocker(program, [...globals, "info", "--format=json"], {
    signal,
    timeoutMs,
  })
  const info = readInfo(stdout)
  if (info === null) throw refused(stderr, wanted)
  const runtime = wanted ?? null
  const { rootless } = info.host.security
  const dialect = podmanDialect({
    initPath: await findInit(),
    processes: await processesAtMost(),
    rootless,
    runtime: runtime === null ? null : { name: runtime, flags: isGvisor(runtime) ? GVISOR_FLAGS : [] },
  })
  const facts = factsOf(info, runtime, await cdiDevices(cdiFolders))
  return new Engine(program, "", facts, facts.isolation === "gvisor" ? withSentry(dialect) : dialect)
}

function readInfo(stdout: string): PodmanInfo | null {
  try {
    return Info.parse(JSON.parse(stdout))
  } catch {
    return null
  }
}

/** @param runtime as asked for, null for Podman's own choice. */
export function factsOf(
  { host, version }: PodmanInfo,
  runtime: string | null,
  devices: readonly string[],
): EngineFacts {
  const { rootless, seccompEnabled } = host.security
  const name = runtime === null ? host.ociRuntime.name : (runtime.split("/").at(-1) ?? runtime)
  return {
    name: "podman",
    version: version.Version,
    runtime: name,
    runtimeFlag: runtime,
    filtersCalls: seccompEnabled,
    isolation: isGvisor(name) ? "gvisor" : rootless ? "rootless" : "runc",
    rootless,
    cgroupVersion: host.cgroupVersion.replace(/^v/, ""),
    unheld: unheldBy(host),
    cdiDevices: devices,
    // Podman knows more names than it tells; whether one is there shows when it is asked for.
    runtimes: [host.ociRuntime.name],
    passesGpus: !isGvisor(name),
  }
}

/** Without root Podman takes limits under cgroup v1 and passes them over; under v2 it has what was delegated. */
function unheldBy({ cgroupVersion, cgroupControllers, security }: PodmanInfo["host"]): HeldLimit[] {
  const controllers = security.rootless && cgroupVersion !== "v2" ? [] : (cgroupControllers ?? [])
  const needed = { memory: "memory", cpus: "cpu", pids: "pids" } as const
  return (["memory", "cpus", "pids"] as const).filter(limit => !controllers.includes(needed[limit]))
}

function isGvisor(runtime: string): boolean {
  return (runtime.split("/").at(-1) ?? "").startsWith("runsc")
}

/** Null where Podman has its own. @throws Fault `engine-refused` where there is none at all. */
async function findInit(): Promise<string | null> {
  if ((await firstThere(OWN_INITS)) !== null) return null
  const other = await firstThere(OTHER_INITS)
  if (other !== null) return other
  throw new Fault("engine-refused", "Podman has no init for containers, which every shard needs.", {
    hint: "Install catatonit (Debian, Fedora: the package `catatonit`), then try again.",
    facts: { trouble: "no-init" },
  })
}

async function firstThere(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return null
}

/** A container may ask for no more than this process has, and no more than the kernel has numbers (proc_sys_kernel(5), `pid_max`). */
async function processesAtMost(): Promise<number> {
  const [pidMax, limits] = await Promise.all(
    ["/proc/sys/kernel/pid_max", "/proc/self/limits"].map(path => readFile(path, "utf8").catch(() => "")),
  )
  const hard = Number(/^Max processes\s+\S+\s+(\d+)/m.exec(limits ?? "")?.[1] ?? Number.POSITIVE_INFINITY)
  return Math.min(hard, Number(pidMax) || 32_768, 32_768)
}

function refused(stderr: string, runtime: string | undefined): Fault {
  const facts = {
    trouble: "other",
    stderr: stderrFact(stderr),
    ...(runtime === undefined ? {} : { runtime }),
  }
  if (runtime !== undefined && /runtime/i.test(stderr)) {
    return new Fault("engine-refused", `Podman has no runtime called ${runtime}.`, {
      hint: isAbsolute(runtime)
        ? "Check the program's path, or leave the runtime to Podman."
        : "Install it, name it in containers.conf under [engine.runtimes], or leave the runtime to Podman.",
      facts,
    })
  }
  return new Fault("engine-refused", "Podman refused to answer.", {
    hint: "See what `podman info` says and put it right, then try again.",
    facts,
  })
}
