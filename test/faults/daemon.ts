import { writeFileSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { execa } from "execa"
import { Supervised } from "./supervised.ts"
import type { Timeline } from "./timeline.ts"

const POLL_MS = 50
const ASK_LIMIT_MS = 2000

export interface DaemonPlace {
  /** Folder for all of its state, on any file system with room for a few images. */
  root: string
  log: string
  timeline: Timeline
  /** Folders before all others on its PATH: where a stand-in for NVIDIA's hook lies. */
  programs?: readonly string[]
  env?: Record<string, string>
}

/**
 * A Docker daemon beside the machine's own: without networks of its own, so that the two cannot meet. As packages install it, containerd is
 * a service beside it, which lives on when the daemon dies.
 */
export class Daemon {
  readonly process: Supervised
  readonly socket: string
  readonly #containerd: Supervised

  constructor({ root, log, timeline, programs = [], env = {} }: DaemonPlace) {
    this.socket = join(root, "docker.sock")
    const containerd = join(root, "containerd.sock")
    // Beside its folder, on which a file system may be mounted later.
    const [config, containerdConfig] = [`${root}.json`, `${root}.toml`]
    writeFileSync(config, "{}")
    writeFileSync(containerdConfig, containerdToml(root, containerd))
    const args = [
      `--config-file=${config}`,
      `--data-root=${join(root, "data")}`,
      `--exec-root=${join(root, "exec")}`,
      `--containerd=${containerd}`,
      `--pidfile=${join(root, "pid")}`,
      `--host=${this.host}`,
      "--bridge=none",
      "--iptables=false",
    ]
    const path = [...programs, process.env.PATH].join(":")
    const kept = (name: string, program: string, given: string[]) =>
      new Supervised({
        name,
        command: () => ({ program, args: given, env: { PATH: path, ...env } }),
        log,
        timeline,
      })
    this.process = kept("engine", "dockerd", args)
    this.#containerd = kept("containerd", "containerd", [`--config=${containerdConfig}`])
  }

  get host(): string {
    return `unix://${this.socket}`
  }

  /** As `docker`; false where the engine refuses. */
  tries(args: readonly string[]): Promise<boolean> {
    return this.docker(args).then(
      () => true,
      () => false,
    )
  }

  start(): void {
    this.#containerd.start()
    this.process.start()
  }

  /** Resolves when it answers. */
  async ready(signal: AbortSignal): Promise<void> {
    while (!(await this.#answers())) await sleep(POLL_MS, undefined, { signal })
  }

  /** Runs its command line. @throws what the engine said. */
  async docker(args: readonly string[], input?: Uint8Array): Promise<string> {
    const env = { DOCKER_HOST: this.host }
    return (await execa("docker", args, { env, ...(input && { input }) })).stdout
  }

  async lines(args: readonly string[]): Promise<string[]> {
    return (await this.docker(args)).split("\n").filter(Boolean)
  }

  async stop(): Promise<void> {
    await this.process.stop()
    await this.#containerd.stop()
  }

  #answers(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const asked = request(
      { socketPath: this.socket, path: "/_ping", timeout: ASK_LIMIT_MS },
      ({ statusCode }) => {
        resolve(statusCode === 200)
        asked.destroy()
      },
    )
    asked.on("timeout", () => asked.destroy())
    asked.on("error", () => resolve(false))
    asked.end()
    return promise
  }
}

/** Nothing of Kubernetes, and no place that another containerd uses. */
function containerdToml(root: string, socket: string): string {
  const place = (name: string) => JSON.stringify(join(root, name))
  return `version = 2
root = ${place("containerd")}
state = ${place("containerd-state")}
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = ${JSON.stringify(socket)}
[plugins."io.containerd.internal.v1.opt"]
path = ${place("opt")}
`
}
