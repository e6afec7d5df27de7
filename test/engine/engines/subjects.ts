import { existsSync, realpathSync } from "node:fs"
import { delimiter, join } from "node:path"
import { isFault } from "../../../src/protocol/fault.ts"
import { type ConnectOptions, connectEngine } from "../../../src/runtime/container/connect.ts"
import type { EngineName } from "../../../src/runtime/container/dialect.ts"
import type { Engine } from "../../../src/runtime/container/engine.ts"
import { probe } from "../../../src/runtime/probe/probe.ts"

/** An engine as the contract meets it: a client, and a runtime other than its default one. */
export interface Subject {
  title: string
  program: string
  options: Pick<ConnectOptions, "engine" | "program" | "runtime">
}

const onPath = (process.env.PATH ?? "").split(delimiter)

function clients(name: EngineName): string[] {
  const paths = onPath.map(folder => join(folder, name)).filter(path => existsSync(path))
  return [...new Set(paths.map(path => realpathSync(path)))]
}

/** Every way to run a container that this machine may have. */
export const SUBJECTS: Subject[] = [
  ...subjectsOf("docker", [undefined, "runsc"]),
  ...subjectsOf("podman", [undefined, "runc", "runsc"]),
]

function subjectsOf(engine: EngineName, runtimes: (string | undefined)[]): Subject[] {
  const programs = clients(engine)
  return (programs.length === 0 ? [engine] : programs).flatMap(program =>
    runtimes.map(runtime => ({
      title: `${program}${runtime === undefined ? "" : ` with ${runtime}`}`,
      program,
      options: { engine, program, ...(runtime === undefined ? {} : { runtime }) },
    })),
  )
}

/** A connected engine in which a container has run, or the reason why there is none. */
export async function connectOrReason({ options }: Subject, scratch: string): Promise<Engine | string> {
  try {
    const engine = await connectEngine({ ...options, signal: AbortSignal.timeout(30_000) })
    const trial = { engine, gpu: { device: "cpu" } as const, home: "trial", scratch }
    await probe(trial, AbortSignal.timeout(60_000))
    return engine
  } catch (error) {
    if (!isFault(error)) throw error
    return error.message
  }
}
