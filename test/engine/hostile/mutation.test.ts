import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { wallsOf } from "../../../src/runtime/container/policy.ts"
import { sandboxArgs } from "../../../src/runtime/container/sandbox.ts"
import { BOMB_LIMITS, BOMBS, explodeWith } from "../../../src/runtime/probe/bombs.ts"
import { jailWith } from "../../../src/runtime/probe/jail.ts"
import { inPlace } from "../../../src/runtime/probe/place.ts"
import { StandInRegistry } from "../../stand-in/registry.ts"
import { publishShellImage } from "../image.ts"
import { groundOrReason, openPlace, type Place } from "./ground.ts"
import { LOOSENED, MUTATIONS, wallName, without } from "./mutations.ts"

type Change = (args: string[]) => string[]

const exec = promisify(execFile)
const TEST_LIMIT_MS = 120_000
const limit = () => AbortSignal.timeout(TEST_LIMIT_MS)
const asItIs: Change = args => args
const ground = await groundOrReason("the mutation test")
const within = test.skipIf(typeof ground === "string")

let place: Place
let registry: StandInRegistry
/** An image whose configuration asks for more than a shard may have. */
let pushy = ""
let unseenHere: string[] = []
const table: [flag: string, noticed: string][] = []

beforeAll(async () => {
  if (typeof ground === "string") return
  place = await openPlace(ground, limit())
  registry = await StandInRegistry.start()
  const image = await publishShellImage(registry, "test/pushy", {
    Healthcheck: { Test: ["CMD", "/bin/sh", "-c", "true"] },
    StopSignal: "SIGUSR1",
    WorkingDir: "/bin",
  })
  pushy = `${registry.host}/${image.name}@${image.digest}`
  const { unseen } = await jailWith(jailOptions(), asItIs, limit())
  unseenHere = unseen
}, TEST_LIMIT_MS)

afterAll(async () => {
  if (typeof ground === "string") return
  await place.close()
  await registry[Symbol.asyncDispose]()
  await exec("docker", ["image", "rm", "--force", pushy]).catch(() => {})
  const width = Math.max(...table.map(([flag]) => flag.length))
  const lines = table.map(([flag, noticed]) => `${flag.padEnd(width)}  ${noticed}`)
  process.stderr.write(`${["What notices that a wall is gone", ...lines].join("\n")}\n`)
}, TEST_LIMIT_MS)

function jailOptions() {
  // Other sizes than the engine's own defaults, which would hide that a flag is not there.
  return { ...place.options(), limits: BOMB_LIMITS }
}

/** What gets through or is not in force inside a container with other arguments. */
async function inside(change: Change): Promise<string[]> {
  const { attempts, violations } = await jailWith(jailOptions(), change, limit())
  const through = attempts.filter(({ outcome }) => outcome === "open" || outcome === "unknown")
  return [...violations.map(({ flag }) => flag), ...through.map(({ name }) => name)]
}

/** What the engine says of a container of the pushy image that is otherwise than it should be. */
async function made(change: Change): Promise<string[]> {
  const { engine } = place.options()
  if (!(await engine.images.has(pushy, limit()))) await engine.images.pull(pushy, null, limit())
  const inspect = async ({
    args,
    labels,
  }: {
    args: string[]
    labels: Parameters<typeof engine.removeAll>[0]
  }) => {
    try {
      const id = await engine.create(args, limit())
      return (await exec("docker", ["container", "inspect", id])).stdout
    } finally {
      await engine.removeAll(labels, limit())
    }
  }
  return inPlace(
    jailOptions(),
    { argv: ["true"] },
    async placement => {
      const args = sandboxArgs({ ...placement, image: pushy })
      const [facts] = JSON.parse(await inspect({ args: change(args), labels: placement.labels }))
      const wanted = JSON.parse(JSON.stringify(WANTED))
      return Object.keys(WANTED).filter(
        key => JSON.stringify(factOf(facts, key)) !== JSON.stringify(wanted[key]),
      )
    },
    limit(),
  )
}

/** As `docker container inspect` names it; the grace of a probe is 2 s, and its log may have 4 MiB. */
const WANTED: Record<string, unknown> = {
  "Config.Healthcheck.Test": ["NONE"],
  "Config.StopSignal": "SIGTERM",
  "Config.StopTimeout": 2,
  "Config.WorkingDir": "/shard",
  "HostConfig.DnsSearch": ["."],
  "HostConfig.RestartPolicy.Name": "no",
  "HostConfig.LogConfig.Type": "local",
  "HostConfig.LogConfig.Config": { compress: "false", "max-file": "2", "max-size": "2048k" },
}

function factOf(facts: unknown, key: string): unknown {
  let at = facts as Record<string, unknown> | undefined
  for (const name of key.split(".")) at = at?.[name] as Record<string, unknown> | undefined
  return at
}

async function exploded(name: string, change: Change): Promise<string[]> {
  const bomb = BOMBS.find(one => one.name === name)
  if (bomb === undefined) throw new Error(`there is no bomb ${name}`)
  const { outcome, how } = await explodeWith(bomb, place.options(), change, limit())
  return outcome === "blocked" ? [] : [`${name}: ${how}`]
}

/** Whether the engine fetches an image that is not there to make a container. */
async function pulled(change: Change): Promise<string[]> {
  const { engine } = place.options()
  await exec("docker", ["image", "rm", "--force", pushy]).catch(() => {})
  const before = registry.requests.length
  return inPlace(
    jailOptions(),
    { argv: ["true"] },
    async placement => {
      try {
        await engine.create(change(sandboxArgs({ ...placement, image: pushy })), limit())
        return [
          `a container was made of an image that was fetched (${registry.requests.length - before} requests)`,
        ]
      } catch {
        return registry.requests.length > before ? ["it asked a registry"] : []
      } finally {
        await engine.removeAll(placement.labels, limit())
      }
    },
    limit(),
  )
}

const LOOKS = {
  inside,
  made,
  flood: (change: Change) => exploded("log-flood", change),
  orphans: (change: Change) => exploded("orphans", change),
  pull: pulled,
}

within("each wall of the policy has a mutation, and no other flag has", () => {
  const { spec, graceMs } = { spec: { limits: BOMB_LIMITS }, graceMs: 2000 }
  const limits = { timeMs: 1000, openFiles: 1024, ...spec.limits }
  const resources = { device: "cpu", cpus: 1, memoryMiB: 64, vramMiB: 0 } as const
  const names = wallsOf("strict", limits, resources, graceMs).map(({ flag }) => wallName(flag))
  expect(names.sort()).toEqual(Object.keys(MUTATIONS).sort())
})

within.for(Object.keys(LOOKS) as (keyof typeof LOOKS)[])(
  "with all walls, looking at %s finds nothing",
  { timeout: TEST_LIMIT_MS },
  async (look, { expect }) => {
    expect(await LOOKS[look](asItIs)).toEqual([])
  },
)

within.for(Object.entries(MUTATIONS))(
  "a sandbox without %s is noticed",
  { timeout: TEST_LIMIT_MS },
  async ([name, { instead, shows, by }], { expect, skip }) => {
    if (unseenHere.includes(name)) skip(`this kernel does not tell about ${name}`)
    const noticed = await LOOKS[shows](without(name))
    const shown = instead === null ? name : `${name} (as ${instead})`
    table.push([shown, noticed.join(", ") || "NOTHING"])
    expect(noticed.join(" ")).toContain(by)
  },
)

within.for(LOOSENED)(
  "it is noticed when %s",
  { timeout: TEST_LIMIT_MS },
  async ([what, by, from, to], { expect }) => {
    const noticed = await inside(args =>
      args.flatMap(arg => (from.test(arg) ? arg.replace(from, to).split(" ") : [arg])),
    )
    table.push([what, noticed.join(", ") || "NOTHING"])
    expect(noticed.join(" ")).toContain(by)
  },
)
