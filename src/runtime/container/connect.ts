import { connect } from "node:net"
import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import { DOCKER, type EngineName, withSentry } from "./dialect.ts"
import { callDocker, stderrFact } from "./docker.ts"
import { Engine, type EngineFacts } from "./engine.ts"
import { type HeldLimit, requireLimits } from "./limits.ts"
import { connectPodman } from "./podman.ts"

const ANSWER_LIMIT_MS = 15_000
const SOCKET_LIMIT_MS = 2000

export interface ConnectOptions {
  signal: AbortSignal
  /** `docker` when not given. */
  engine?: EngineName
  /** The engine's command line, looked up on PATH; by its own name when not given. */
  program?: string
  /** Runtime for shards instead of the engine's default one, such as `runsc`. */
  runtime?: string
  answerLimitMs?: number
  /** `reported`: also an engine that cannot hold a shard's limits is given, and its facts say so. */
  limits?: "held" | "reported"
  /** Where Podman's CDI specifications lie, if not where all engines look. */
  cdiFolders?: readonly string[]
}

/** The fields of `docker info` that decide something; the rest is passed over. */
const Info = z.object({
  ServerVersion: z.string().min(1),
  DefaultRuntime: z.string().default("runc"),
  Runtimes: z.record(z.string(), z.object({ runtimeArgs: z.array(z.string()).nullish() })).default({}),
  MemoryLimit: z.boolean().default(true),
  CpuCfsQuota: z.boolean().default(true),
  PidsLimit: z.boolean().default(true),
  SecurityOptions: z.array(z.string()).nullable().default([]),
  CgroupVersion: z.string().default("1"),
  /** What the engine found in CDI specifications; from Docker 28.2 on. */
  DiscoveredDevices: z
    .array(z.object({ ID: z.string() }))
    .nullable()
    .default([]),
})
type Info = z.infer<typeof Info>

/**
 * Finds an engine on PATH and asks it who it is.
 * @throws Fault `engine-missing` (no program), `engine-silent` (no answer in time), `engine-refused` (stopped, not for this user, without
 * the runtime, or unable to hold a shard's limits).
 */
export async function connectEngine(options: ConnectOptions): Promise<Engine> {
  const { engine: name = "docker", program = name, answerLimitMs = ANSWER_LIMIT_MS } = options
  const connect = name === "docker" ? connectDocker : connectPodman
  const engine = await connect(options, program, answerLimitMs)
  if (options.limits !== "reported") requireLimits(engine.facts)
  return engine
}

async function connectDocker(options: ConnectOptions, program: string, timeoutMs: number): Promise<Engine> {
  const { signal } = options
  const answer = await callDocker(program, ["info", "--format={{json .}}"], { signal, timeoutMs })
  const info = readInfo(answer.stdout)
  const address = await engineAddress(program, signal, timeoutMs)
  if (info === null) throw refused(await troubleWith(address), address, stderrFact(answer.stderr))
  const runtime = options.runtime ?? info.DefaultRuntime
  if (options.runtime !== undefined && !(options.runtime in info.Runtimes)) throw noRuntime(options.runtime)
  const rootless = isRootless(info)
  const facts: EngineFacts = {
    name: "docker",
    version: info.ServerVersion,
    runtime,
    runtimeFlag: options.runtime ?? null,
    filtersCalls: (info.SecurityOptions ?? []).some(option => option.includes("name=seccomp")),
    isolation: runtime.startsWith("runsc") ? "gvisor" : rootless ? "rootless" : "runc",
    rootless,
    cgroupVersion: info.CgroupVersion,
    unheld: unheldBy(info, runtime),
    cdiDevices: (info.DiscoveredDevices ?? []).map(device => device.ID),
    runtimes: Object.keys(info.Runtimes),
    passesGpus:
      !runtime.startsWith("runsc") ||
      argumentsOf(info, runtime).some(arg => /^--?nvproxy(=true)?$/.test(arg)),
  }
  return new Engine(program, address, facts, facts.isolation === "gvisor" ? withSentry(DOCKER) : DOCKER)
}

function argumentsOf({ Runtimes }: Info, runtime: string): readonly string[] {
  return Runtimes[runtime]?.runtimeArgs ?? []
}

function unheldBy(info: Info, runtime: string): HeldLimit[] {
  // gVisor then leaves its processes where they are, outside of every limit.
  if (argumentsOf(info, runtime).some(arg => /^--?ignore-cgroups(=true)?$/.test(arg)))
    return ["memory", "cpus", "pids"]
  const held = { memory: info.MemoryLimit, cpus: info.CpuCfsQuota, pids: info.PidsLimit }
  return (["memory", "cpus", "pids"] as const).filter(limit => !held[limit])
}

/** An engine that cannot be reached still prints an info, without the server's part. */
function readInfo(stdout: string): Info | null {
  try {
    return Info.parse(JSON.parse(stdout))
  } catch {
    return null
  }
}

function isRootless({ SecurityOptions }: Info): boolean {
  return (SecurityOptions ?? []).some(text => text.includes("name=rootless"))
}

/** Where the client finds the engine: a call with a DOCKER_CONFIG of its own no longer sees the user's context. */
async function engineAddress(program: string, signal: AbortSignal, timeoutMs: number): Promise<string> {
  if (process.env.DOCKER_HOST) return process.env.DOCKER_HOST
  const format = "--format={{.Endpoints.docker.Host}}"
  const { ok, stdout } = await callDocker(program, ["context", "inspect", format], { signal, timeoutMs })
  return ok && stdout !== "" ? stdout.trim() : "unix:///var/run/docker.sock"
}

type Trouble = "not-allowed" | "not-running" | "other"

/** Asks the socket itself, because the client's sentences change between versions and languages. */
function troubleWith(address: string): Promise<Trouble> {
  if (!address.startsWith("unix://")) return Promise.resolve("other")
  return new Promise(resolve => {
    const socket = connect({ path: address.slice("unix://".length), timeout: SOCKET_LIMIT_MS })
    const settle = (trouble: Trouble) => {
      socket.destroy()
      resolve(trouble)
    }
    socket.on("connect", () => settle("other"))
    socket.on("timeout", () => settle("other"))
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === "EACCES" || code === "EPERM") settle("not-allowed")
      else settle(code === "ENOENT" || code === "ECONNREFUSED" ? "not-running" : "other")
    })
  })
}

const REFUSALS: Record<Trouble, { message: string; hint: string }> = {
  "not-allowed": {
    message: "This user may not use the container engine.",
    hint:
      "Use rootless Docker (https://docs.docker.com/engine/security/rootless/), or join the docker group " +
      "(`sudo usermod -aG docker $USER`, then log in again); that group is as powerful as root.",
  },
  "not-running": {
    message: "The container engine is installed but not running.",
    hint: "Start it with `sudo systemctl start docker`, then try again.",
  },
  other: {
    message: "The container engine refused to answer.",
    hint: "See what `docker info` says and put it right, then try again.",
  },
}

function refused(trouble: Trouble, address: string, stderr: string): Fault {
  const { message, hint } = REFUSALS[trouble]
  return new Fault("engine-refused", message, { hint, facts: { trouble, address, stderr } })
}

function noRuntime(runtime: string): Fault {
  return new Fault("engine-refused", `The container engine has no runtime called ${runtime}.`, {
    hint: "Register it in /etc/docker/daemon.json, or leave the runtime to the engine.",
    facts: { runtime },
  })
}
