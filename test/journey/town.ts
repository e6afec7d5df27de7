import { execFileSync } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import {
  freePort,
  type Program,
  start,
  stop,
  untilHealthy,
  zgAgent,
} from "../../scripts/quickstart/programs.ts"
import { shellLayer } from "../engine/image.ts"

const never = new AbortController().signal

/** A marketplace and whoever lives at it, as processes of the built CLI, with homes in a temporary folder. */
export class Town {
  readonly root = mkdtempSync(join(tmpdir(), "zg-journey-"))
  readonly port: number
  #programs = new Map<string, Program>()

  private constructor(port: number) {
    this.port = port
  }

  static async found(): Promise<Town> {
    const town = new Town(await freePort(20_000 + Math.floor(Math.random() * 20_000)))
    await town.openMarket()
    return town
  }

  /** At a marketplace that is there already, and stays when the town is closed. */
  static at(url: string): Town {
    return new Town(Number(new URL(url).port))
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  home(name: string): string {
    return join(this.root, name)
  }

  async openMarket(more: string[] = []): Promise<void> {
    this.start("market", ["market", "start", "--port", `${this.port}`, ...more])
    await untilHealthy(this.url, AbortSignal.timeout(20_000))
  }

  register(name: string): Promise<{ agent: string; balance: number; again: boolean }> {
    return this.run(name, ["register", "--market", this.url, "--name", name])
  }

  serve(name: string): Program {
    return this.start(name, [
      "serve",
      "--engine=docker",
      "--gpus=none",
      "--cpu-slots=1",
      "--cpus=1",
      "--memory-mib=2048",
    ])
  }

  run<T>(name: string, args: string[]): Promise<T> {
    return zgAgent<T>(this.home(name), args, never)
  }

  start(name: string, args: string[]): Program {
    const program = start(name, this.home(name), args)
    this.#programs.set(name, program)
    return program
  }

  async stop(name: string): Promise<void> {
    const program = this.#programs.get(name)
    this.#programs.delete(name)
    if (program) await stop(program)
  }

  /** Without any chance to put things in order. */
  async kill(name: string): Promise<void> {
    const program = this.#programs.get(name)
    this.#programs.delete(name)
    program?.process.kill("SIGKILL")
    await program?.process
  }

  /** Writes a job file into the town's folder and gives its path. */
  async job(name: string, yaml: string): Promise<string> {
    const path = join(this.root, `${name}.yaml`)
    await writeFile(path, yaml)
    return path
  }

  async close(): Promise<void> {
    const agents = [...this.#programs.keys()].filter(name => name !== "market")
    await Promise.all(agents.map(name => this.stop(name)))
    await this.stop("market")
    await rm(this.root, { recursive: true, force: true })
  }
}

/** An image with a shell and a few programs in the local engine. */
export async function importShell(tag: string): Promise<void> {
  execFileSync("docker", ["import", "-", tag], { input: await shellLayer() })
}

/** Containers of this agent, whatever their state. */
export async function containersOf(agent: string): Promise<string[]> {
  const { stdout } = await execa("docker", [
    "ps",
    "--all",
    "--quiet",
    "--filter",
    `label=dev.zg-agent.home=${agent}`,
  ])
  return stdout.split("\n").filter(Boolean)
}

/** Polls until `look` gives something. */
export async function eventually<T>(
  look: () => Promise<T | null | false | undefined>,
  limitMs = 60_000,
): Promise<T> {
  const until = Date.now() + limitMs
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > until) throw new Error(`nothing came within ${limitMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
