import { access, constants } from "node:fs/promises"
import { tmpdir } from "node:os"
import { execa } from "execa"
import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import type { Isolation } from "../../protocol/proof.ts"
import { type Dialect, DOCKER, type EngineName } from "./dialect.ts"
import { stderrFact } from "./docker.ts"
import { EngineClient, QUICK_LIMIT_MS } from "./engine-client.ts"
import { Images } from "./images.ts"
import type { HeldLimit } from "./limits.ts"
import { linesOf } from "./lines.ts"
import { withLogin } from "./login.ts"
import { labelsOf, type ShardLabels } from "./sandbox.ts"

const START_LIMIT_MS = 120_000
const LOG_LIMIT_MS = 120_000
const LINE_LIMIT_BYTES = 64 << 10

export interface EngineFacts {
  name: EngineName
  version: string
  runtime: string
  /** What `--runtime` takes, null for the engine's default runtime. */
  runtimeFlag: string | null
  /** Whether it can filter system calls. */
  filtersCalls: boolean
  isolation: Isolation
  /** Whether the engine itself runs without root. */
  rootless: boolean
  cgroupVersion: string
  /** Limits that this engine takes and does not hold on this machine. */
  unheld: readonly HeldLimit[]
  /** Devices by their CDI names, such as `nvidia.com/gpu=GPU-…`; empty where the engine does not tell. */
  cdiDevices: readonly string[]
  /** Runtimes that the engine knows by name. */
  runtimes: readonly string[]
  /** Whether the runtime can hand a GPU on: gVisor only through its proxy of the driver. */
  passesGpus: boolean
}

export interface ContainerState {
  status: "created" | "running" | "exited"
  exitCode: number
  oomKilled: boolean
  /** RFC 3339; the year 1 where it has not happened. */
  startedAt: string
  finishedAt: string
  /** Process id of the container's init on this machine; 0 when it does not run. */
  pid: number
}

const Inspected = z.object({
  Status: z.string(),
  ExitCode: z.int(),
  OOMKilled: z.boolean(),
  StartedAt: z.string(),
  FinishedAt: z.string(),
  Pid: z.int(),
})

/** An engine through its command line; `connectEngine` makes one. Every call ends with its signal and its own limit. */
export class Engine {
  readonly facts: EngineFacts
  readonly images: Images
  readonly #client: EngineClient

  /** @param address the engine's socket, for Docker's client alone. */
  constructor(program: string, address: string, facts: EngineFacts, dialect: Dialect = DOCKER) {
    this.facts = facts
    this.#client = new EngineClient(facts.name, program, address, dialect)
    this.images = new Images(this.#client)
  }

  /** @param args from `sandboxArgs`. Returns the container's id. Throws Fault `container-not-created`. */
  async create(args: readonly string[], signal: AbortSignal): Promise<string> {
    // The owner's own configuration may name proxies, which the client would tell every container, with their passwords.
    const { ok, stdout, stderr } = await withLogin(null, env =>
      this.#client.call(["create", ...this.#client.dialect.createArgs(args)], {
        signal,
        timeoutMs: START_LIMIT_MS,
        env: this.#client.at(env),
      }),
    )
    if (!ok) throw notCreated("created", stderr)
    return stdout.trim()
  }

  /** Starting a running container changes nothing. */
  async start(id: string, signal: AbortSignal): Promise<void> {
    const place = await this.#startPlace(id, signal)
    const { ok, stderr } = await this.#client.call(["start", id], {
      signal,
      timeoutMs: START_LIMIT_MS,
      ...place,
    })
    if (!ok) throw notCreated("started", stderr)
  }

  /** Podman's monitor notes that memory ran out in the folder it was started from, and Podman looks for the note in the container's. */
  async #startPlace(id: string, signal: AbortSignal): Promise<{ cwd?: string }> {
    if (this.facts.name !== "podman") return {}
    const args = ["container", "inspect", "--format={{.StaticDir}}", id]
    const { ok, stdout } = await this.#client.quick(args, signal)
    const folder = stdout.trim()
    // With a user mapping of its own the folder can be closed to this user; then the note must not lie about in the agent's folder.
    const isOpen =
      ok &&
      (await access(folder, constants.X_OK).then(
        () => true,
        () => false,
      ))
    return { cwd: isOpen ? folder : tmpdir() }
  }

  /** Ids of the containers with all of these labels, whatever state they are in. */
  async find(labels: Partial<ShardLabels>, signal: AbortSignal): Promise<string[]> {
    const filters = labelsOf(labels).map(label => `--filter=label=${label}`)
    return this.#list(filters, signal)
  }

  /** Waits for the container's end, for as long as the signal allows. Throws Fault `container-lost` when it is gone. */
  async wait(id: string, signal: AbortSignal): Promise<number> {
    const { ok, stdout, stderr } = await this.#client.call(["wait", id], { signal })
    if (!ok) throw lost(id, stderr, this.facts.name)
    return Number(stdout.trim())
  }

  /** Null when there is no such container. */
  async state(id: string, signal: AbortSignal): Promise<ContainerState | null> {
    const args = ["container", "inspect", "--format={{json .State}}", id]
    const { ok, stdout, stderr } = await this.#client.quick(args, signal)
    if (ok) return readState(stdout)
    // Only a working engine can say that a container is gone.
    if ((await this.#list([`--filter=id=${id}`], signal)).length === 0) return null
    throw lost(id, stderr, this.facts.name)
  }

  /** The container's stdout, line by line to its end, beginning with its last `lines` or all; a line is cut at 64 KiB. */
  async *logs(id: string, lines: number | "all", signal: AbortSignal): AsyncGenerator<string> {
    const tail = lines === "all" ? [] : [`--tail=${lines}`]
    const follower = execa(
      this.#client.program,
      [...this.#client.dialect.globals, "logs", "--follow", ...tail, id],
      {
        reject: false,
        buffer: false,
        stdin: "ignore",
        stderr: "ignore",
        cancelSignal: signal,
        killSignal: "SIGKILL",
        killDescendants: true,
      },
    )
    try {
      yield* linesOf(follower.stdout, LINE_LIMIT_BYTES)
    } finally {
      follower.kill("SIGKILL")
      await follower
    }
    signal.throwIfAborted()
  }

  /** Writes what the engine kept of stdout and stderr, in the order it came, to an open file. */
  async saveLog(id: string, fd: number, signal: AbortSignal): Promise<void> {
    await this.#client.call(["logs", id], { signal, timeoutMs: LOG_LIMIT_MS, intoFd: fd })
  }

  /** SIGTERM, and SIGKILL after the grace. */
  async stop(id: string, graceMs: number, signal: AbortSignal): Promise<void> {
    const seconds = Math.ceil(graceMs / 1000)
    await this.#client.call(["stop", "-t", String(seconds), id], {
      signal,
      timeoutMs: graceMs + QUICK_LIMIT_MS,
    })
  }

  async kill(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.quick(["kill", id], signal)
  }

  /** Removes a container, running or not, with what it left in the engine; one that is gone already is no fault. */
  async remove(id: string, signal: AbortSignal): Promise<void> {
    await this.#client.quick(["rm", "--force", "--volumes", id], signal)
  }

  async removeAll(labels: Partial<ShardLabels>, signal: AbortSignal): Promise<void> {
    for (const id of await this.find(labels, signal)) await this.remove(id, signal)
  }

  async #list(filters: string[], signal: AbortSignal): Promise<string[]> {
    const { ok, stdout, stderr } = await this.#client.quick(
      ["ps", "--all", "--quiet", "--no-trunc", ...filters],
      signal,
    )
    if (ok) return stdout.split("\n").filter(id => id !== "")
    throw new Fault("engine-refused", "The container engine does not list its containers.", {
      hint: `See what \`${this.facts.name} ps\` says and put it right, then try again.`,
      facts: { stderr: stderrFact(stderr) },
    })
  }
}

function readState(json: string): ContainerState {
  const state = Inspected.parse(JSON.parse(json))
  return {
    status: state.Status === "created" ? "created" : state.Pid > 0 ? "running" : "exited",
    exitCode: state.ExitCode,
    oomKilled: state.OOMKilled,
    startedAt: state.StartedAt,
    finishedAt: state.FinishedAt,
    pid: state.Pid,
  }
}

function notCreated(what: "created" | "started", stderr: string): Fault {
  return new Fault("container-not-created", `The container could not be ${what}: ${stderrFact(stderr)}`, {
    hint: "Check the program's name and the resources of the shard.",
    facts: { stderr: stderrFact(stderr) },
  })
}

function lost(id: string, stderr: string, engine: EngineName): Fault {
  return new Fault("container-lost", "The engine lost the container while it ran.", {
    hint: `Look into the engine's own log (\`journalctl -u ${engine}\`); the shard is run again.`,
    facts: { container: id.slice(0, 12), stderr: stderrFact(stderr) },
  })
}
