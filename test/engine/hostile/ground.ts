import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { prepareProbe } from "../../../scripts/setup/probe.ts"
import { isFault } from "../../../src/protocol/fault.ts"
import { randomId } from "../../../src/protocol/handshake.ts"
import { connectEngine } from "../../../src/runtime/container/connect.ts"
import { chooseDisks } from "../../../src/runtime/container/disks.ts"
import type { Engine } from "../../../src/runtime/container/engine.ts"
import type { JailOptions } from "../../../src/runtime/probe/jail.ts"
import { engineOrReason } from "../bench.ts"

const GVISOR = "runsc"
const CONNECT_LIMIT_MS = 60_000

/** The engine of this machine, and everything on which hostile programs are let loose, by name. */
export interface Ground {
  engine: Engine
  sandboxes: Map<string, Engine>
}

/** Where the hostile suite runs, or the reason why it does not. One line says on which runtimes. */
export async function groundOrReason(suite: string): Promise<Ground | string> {
  const engine = await engineOrReason()
  if (typeof engine === "string") {
    process.stderr.write(`${suite} is skipped: ${engine}\n`)
    return engine
  }
  const gvisor = await gvisorOrReason(engine)
  const sandboxes = new Map([nameOf(engine), ...(typeof gvisor === "string" ? [] : [nameOf(gvisor)])])
  const without = typeof gvisor === "string" ? `; not on gVisor: ${gvisor}` : ""
  process.stderr.write(`${suite} runs on ${[...sandboxes.keys()].join(" and ")}${without}\n`)
  return { engine, sandboxes }
}

function nameOf(engine: Engine): [name: string, engine: Engine] {
  return [`${engine.facts.name}/${engine.facts.runtime}`, engine]
}

/** Docker where it knows gVisor, else Podman, which finds it on PATH. */
async function gvisorOrReason(docker: Engine): Promise<Engine | string> {
  const name = docker.facts.runtimes.includes(GVISOR) ? "docker" : "podman"
  try {
    return await connectEngine({
      engine: name,
      runtime: GVISOR,
      signal: AbortSignal.timeout(CONNECT_LIMIT_MS),
    })
  } catch (error) {
    if (!isFault(error)) throw error
    return `Docker does not know ${GVISOR}, and with Podman: ${error.message}`
  }
}

/** Folders and a label of one test file; closing removes what its containers may have left. */
export async function openPlace({ engine, sandboxes }: Ground, signal: AbortSignal) {
  await prepareProbe()
  const root = await mkdtemp(join(tmpdir(), "zg-hostile-"))
  const home = randomId()
  const disks = await chooseDisks(join(root, "disks"), signal)
  const options = (sandbox?: string): JailOptions => ({
    engine: sandboxes.get(sandbox ?? "") ?? engine,
    gpu: { device: "cpu" },
    home,
    scratch: join(root, "scratch"),
    disks,
  })
  /** Containers of this file on any engine. */
  const left = async () => {
    const found = [...sandboxes.values()].map(each =>
      each.find({ home }, AbortSignal.timeout(CONNECT_LIMIT_MS)),
    )
    return (await Promise.all(found)).flat()
  }
  const close = async () => {
    for (const each of sandboxes.values())
      await each.removeAll({ home }, AbortSignal.timeout(CONNECT_LIMIT_MS))
    await rm(root, { recursive: true })
  }
  return { root, home, disks, options, left, close }
}

export type Place = Awaited<ReturnType<typeof openPlace>>
