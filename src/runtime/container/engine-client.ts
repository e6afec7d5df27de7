import type { Dialect, EngineName } from "./dialect.ts"
import { type Answer, type CallOptions, callDocker } from "./docker.ts"

export const QUICK_LIMIT_MS = 30_000

/** How one engine is called: by which program, at which address, in which dialect. */
export class EngineClient {
  readonly name: EngineName
  readonly program: string
  readonly dialect: Dialect
  readonly #address: string

  /** @param address the engine's socket, for Docker's client alone. */
  constructor(name: EngineName, program: string, address: string, dialect: Dialect) {
    this.name = name
    this.program = program
    this.dialect = dialect
    this.#address = address
  }

  /** What is answered at once by an engine that is well. */
  quick(args: string[], signal: AbortSignal): Promise<Answer> {
    return this.call(args, { signal, timeoutMs: QUICK_LIMIT_MS })
  }

  call(args: string[], options: CallOptions): Promise<Answer> {
    return callDocker(this.program, [...this.dialect.globals, ...args], options)
  }

  /** An environment with a configuration of its own, which knows no context: the engine's address goes with it. */
  at(env: Record<string, string>): Record<string, string> {
    return { DOCKER_HOST: this.#address, ...env }
  }

  /** What the engine wants to be told about the registry of this reference. */
  registryArgs(reference: string): string[] {
    return this.dialect.registryArgs(reference.split("/")[0] ?? "")
  }
}
