import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, mkdirSync, mkdtempSync, openSync, writeFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { execa } from "execa"

const POLL_MS = 100
const START_LIMIT_MS = 60_000

/** Why this user cannot start an engine of its own here; null where that goes. */
export async function whyNoOwnEngine(): Promise<string | null> {
  if (process.getuid?.() !== 0) return "only root may start an engine"
  for (const program of ["dockerd", "containerd"])
    if ((await execa(program, ["--version"], { reject: false })).failed)
      return `there is no ${program} on PATH`
  return null
}

/**
 * A Docker engine of a test's own, to be killed and started at will: with a containerd beside it, as packages install it, and without
 * networks, so that it meets no other engine.
 */
export class OwnEngine {
  readonly root = mkdtempSync(join(tmpdir(), "zg-own-engine-"))
  readonly address = `unix://${this.#place("docker.sock")}`
  readonly #more: readonly string[]
  #containerd: ChildProcess | null = null
  #daemon: ChildProcess | null = null

  /** @param more arguments of `dockerd`. */
  constructor(more: readonly string[]) {
    this.#more = more
  }

  async start(): Promise<void> {
    this.#containerd ??= this.#startContainerd()
    const until = Date.now() + START_LIMIT_MS
    while (!(await this.#docker("info", "--format={{.ServerVersion}}"))) {
      if (Date.now() > until) throw new Error(`the engine of this test does not start: see ${this.root}/log`)
      // As a service's manager does, when it cannot begin yet.
      if (this.#daemon === null || hasEnded(this.#daemon))
        this.#daemon = this.#spawn("dockerd", this.#arguments())
      await sleep(POLL_MS)
    }
  }

  async end(how: "SIGKILL" | "SIGTERM"): Promise<void> {
    await endOf(this.#daemon, how)
  }

  /** As when the power fails: the engine, what holds its containers, and their processes end at once, and nobody notes it. */
  async crash(): Promise<void> {
    const { shims, held } = await this.#running()
    if (held.length === 0) throw new Error("no container of this engine runs")
    await endOf(this.#daemon, "SIGKILL")
    await endOf(this.#containerd, "SIGKILL")
    this.#containerd = null
    for (const { pid } of [...shims, ...held]) killed(pid)
  }

  /** Whether a process of a container is there, as the machine sees it: also while the engine is away. */
  async holds(): Promise<boolean> {
    return (await this.#running()).held.length > 0
  }

  async #running(): Promise<{ shims: Process[]; held: Process[] }> {
    const all = await processes()
    const shims = all.filter(({ command }) => command.includes(`-address ${this.#place("containerd.sock")}`))
    return { shims, held: all.filter(({ parent }) => shims.some(({ pid }) => pid === parent)) }
  }

  async close(): Promise<void> {
    const ids = await this.#docker("ps", "--all", "--quiet")
    if (ids) await this.#docker("rm", "--force", ...ids.split("\n"))
    await endOf(this.#daemon, "SIGTERM")
    await endOf(this.#containerd, "SIGTERM")
    const { stdout } = await execa("findmnt", ["--raw", "--noheadings", "--output=TARGET"])
    for (const mount of stdout.split("\n").filter(one => one.startsWith(this.root)))
      await execa("umount", ["--lazy", mount], { reject: false })
    await rm(this.root, { recursive: true, force: true })
  }

  #startContainerd(): ChildProcess {
    const places = [`root = "${this.#place("containerd")}"`, `state = "${this.#place("containerd-state")}"`]
    const grpc = `[grpc]\naddress = "${this.#place("containerd.sock")}"`
    const opt = `[plugins."io.containerd.internal.v1.opt"]\npath = "${this.#place("opt")}"`
    mkdirSync(this.#place("opt"), { recursive: true })
    const config = ["version = 2", ...places, 'disabled_plugins = ["io.containerd.grpc.v1.cri"]', grpc, opt]
    writeFileSync(this.#place("containerd.toml"), config.join("\n"))
    return this.#spawn("containerd", [`--config=${this.#place("containerd.toml")}`])
  }

  #arguments(): string[] {
    return [
      `--data-root=${this.#place("data")}`,
      `--exec-root=${this.#place("exec")}`,
      `--pidfile=${this.#place("pid")}`,
      `--containerd=${this.#place("containerd.sock")}`,
      `--host=${this.address}`,
      ...["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"],
      ...this.#more,
    ]
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(this.#place("log"), "a")
    const child = spawn(program, args, { stdio: ["ignore", log, log] })
    closeSync(log)
    return child
  }

  async #docker(...args: string[]): Promise<string> {
    const { stdout } = await execa("docker", ["--host", this.address, ...args], { reject: false })
    return stdout
  }

  #place(name: string): string {
    return join(this.root, name)
  }
}

interface Process {
  pid: number
  parent: number
  command: string
}

async function processes(): Promise<Process[]> {
  const { stdout } = await execa("ps", ["-e", "-ww", "-o", "pid=,ppid=,args="])
  return stdout.split("\n").map(line => {
    const [pid = "", parent = "", ...command] = line.trim().split(/\s+/)
    return { pid: Number(pid), parent: Number(parent), command: command.join(" ") }
  })
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/** A shell's short-lived child may have ended since it was seen. */
function killed(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}

async function endOf(child: ChildProcess | null, how: NodeJS.Signals): Promise<void> {
  if (child === null || hasEnded(child)) return
  const ended = once(child, "exit")
  child.kill(how)
  await ended
}
