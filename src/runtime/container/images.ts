import pRetry from "p-retry"
import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import type { EngineName } from "./dialect.ts"
import { stderrFact } from "./docker.ts"
import type { EngineClient } from "./engine-client.ts"
import { whileRoom } from "./image-room.ts"
import { type Credentials, withLogin } from "./login.ts"

/** An image of PyTorch with CUDA has 8 GB; at 20 Mbit/s that is an hour. */
const PULL_LIMIT_MS = 2 * 3_600_000
const PULL_RETRIES = 2
const LOAD_LIMIT_MS = 120_000

/** The images of an engine. Every call ends with its signal and its own limit. */
export class Images {
  readonly #client: EngineClient

  constructor(client: EngineClient) {
    this.#client = client
  }

  /** Whether an image is on this machine. */
  async has(reference: string, signal: AbortSignal): Promise<boolean> {
    return (await this.id(reference, signal)) !== null
  }

  /** The image's own id, `sha256:…`, by which a container can be made of it; null when it is not on this machine. */
  async id(reference: string, signal: AbortSignal): Promise<string | null> {
    const { ok, stdout } = await this.#client.quick(
      ["image", "inspect", "--format={{.Id}}", reference],
      signal,
    )
    // Podman leaves the algorithm out.
    return ok ? stdout.trim().replace(/^(?!sha256:)/, "sha256:") : null
  }

  /** Takes in the images of an archive, such as `docker save` makes. Throws Fault `image-missing` with the engine's words. */
  async load(archivePath: string, signal: AbortSignal): Promise<void> {
    const args = ["load", "--quiet", `--input=${archivePath}`]
    const { ok, stderr } = await this.#client.call(args, { signal, timeoutMs: LOAD_LIMIT_MS })
    if (!ok) throw notLoaded(stderr, this.#client.name)
  }

  /** What an image on this machine takes up, unpacked, in bytes; null when the engine does not tell. */
  async bytes(reference: string, signal: AbortSignal): Promise<number | null> {
    const { ok, stdout } = await this.#client.quick(
      ["image", "inspect", "--format={{.Size}}", reference],
      signal,
    )
    return ok && /^\d+$/.test(stdout.trim()) ? Number(stdout) : null
  }

  /** Takes an image off this machine, where no container uses it. */
  async remove(reference: string, signal: AbortSignal): Promise<void> {
    await this.#client.quick(["image", "rm", reference], signal)
  }

  /** The folder that images lie in, if it is on this machine as far as the engine tells. */
  async folder(signal: AbortSignal): Promise<string | null> {
    const { ok, stdout } = await this.#client.quick(
      ["info", `--format=${this.#client.dialect.imageFolder}`],
      signal,
    )
    return ok && stdout.startsWith("/") ? stdout.trim() : null
  }

  /** The folders that the image declares as volumes: the engine would make each one writable and without a limit. */
  async volumesOf(reference: string, signal: AbortSignal): Promise<string[]> {
    const args = ["image", "inspect", "--format={{json .Config.Volumes}}", reference]
    const { ok, stdout, stderr } = await this.#client.quick(args, signal)
    if (!ok) throw imageMissing(reference, stderr, this.#client.name)
    return Object.keys(z.record(z.string(), z.unknown()).nullable().parse(JSON.parse(stdout)) ?? {})
  }

  /** @throws Fault `image-not-pulled` after a few tries, `disk-full` before an image has taken all of the disk. */
  async pull(reference: string, credentials: Credentials | null, signal: AbortSignal): Promise<void> {
    const folder = await this.folder(signal)
    await whileRoom(folder, room => this.#pull(reference, credentials, room), signal)
  }

  async #pull(reference: string, credentials: Credentials | null, signal: AbortSignal): Promise<void> {
    const once = async (env: Record<string, string>) => {
      const options = { signal, timeoutMs: PULL_LIMIT_MS, env }
      const { ok, stderr } = await this.#client.call(
        ["pull", "--quiet", ...this.#client.registryArgs(reference), reference],
        options,
      )
      if (!ok) throw notPulled(reference, stderr, this.#client.name)
    }
    const all = (env: Record<string, string>) =>
      pRetry(() => once(env), { retries: PULL_RETRIES, randomize: true, signal })
    // The temporary configuration knows no context, so the engine's address goes with it. The host's own logins stay out of it also
    // for other registries: a buyer could name a private image of the host's.
    await withLogin(credentials, env => all(this.#client.at(env)))
  }

  /**
   * Pushes a local image under another name, such as `market.example:7464/team/net:latest`.
   * @throws Fault `image-not-pushed`.
   */
  async push(local: string, target: string, credentials: Credentials, signal: AbortSignal): Promise<void> {
    const tagged = await this.#client.quick(["tag", local, target], signal)
    if (!tagged.ok) throw notPushed(target, tagged.stderr)
    await withLogin(credentials, async login => {
      const env = this.#client.at(login)
      const { ok, stderr } = await this.#client.call(
        ["push", "--quiet", ...this.#client.registryArgs(target), target],
        {
          signal,
          timeoutMs: PULL_LIMIT_MS,
          env,
        },
      )
      if (!ok) throw notPushed(target, stderr)
    })
  }
}

function imageMissing(reference: string, stderr: string, engine: EngineName): Fault {
  return new Fault("image-missing", `The image ${reference} is not on this machine.`, {
    hint: `Pull or build it, then try again; \`${engine} images\` shows what is there.`,
    facts: { reference, stderr: stderrFact(stderr) },
  })
}

function notLoaded(stderr: string, engine: EngineName): Fault {
  return new Fault("image-missing", `The engine did not take in the image: ${stderrFact(stderr)}`, {
    hint: `Check that the disk of the engine's own folder (\`${engine} info\` names it) has room, then try again.`,
    facts: { stderr: stderrFact(stderr) },
  })
}

function notPulled(reference: string, stderr: string, engine: EngineName): Fault {
  return new Fault("image-not-pulled", `The image ${reference} could not be pulled.`, {
    hint: `Check the registry's address and that the image's digest exists there: \`${engine} pull\` shows more.`,
    facts: { reference, stderr: stderrFact(stderr) },
  })
}

function notPushed(target: string, stderr: string): Fault {
  return new Fault("image-not-pushed", `The image could not be pushed to ${target}: ${stderrFact(stderr)}`, {
    hint: "Engines push without TLS to this machine only; elsewhere the marketplace needs a wss:// address.",
    facts: { target, stderr: stderrFact(stderr) },
  })
}
