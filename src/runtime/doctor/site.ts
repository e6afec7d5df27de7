import { readFile } from "node:fs/promises"
import os from "node:os"
import { join } from "node:path"
import { isFault } from "../../protocol/fault.ts"
import { chooseEngine, type EngineWish } from "../agent/choose-engine.ts"
import { askControl } from "../agent/control.ts"
import type { Home } from "../agent/home.ts"
import { readSettings, type Settings } from "../agent/settings.ts"
import { connectEngine } from "../container/connect.ts"
import { chooseDisks } from "../container/disks.ts"
import type { Engine } from "../container/engine.ts"
import type { GpuPlacement } from "../container/sandbox.ts"
import { detectGpus } from "../host/detect-gpus.ts"
import { type LoadedTable, loadMinimumVersions } from "../host/escapes/minimum-versions.ts"
import type { Detection } from "../host/gpu.ts"
import { readRules } from "../host/rules/rules-file.ts"
import type { GpuNodes } from "../probe/gpu-nodes.ts"
import type { JailReport } from "../probe/jail.ts"
import { type EngineInfo, readEngineInfo } from "./engine-info.ts"
import { type PackageManager, packageManager } from "./packages.ts"
import {
  type CardTrial,
  cardsToTry,
  findStrays,
  type SandboxTrial,
  type Strays,
  tryCard,
  tryJail,
  trySandbox,
} from "./trial.ts"

export interface Caller {
  name: string
  isRoot: boolean
  /** Who called sudo, where somebody did. */
  sudoUser: string | null
}

/** What the checks look at. Each fact is found out once, when the first check asks, and its failure is everybody's. */
export interface Site {
  /** Where sysfs is mounted. */
  sysfs: string
  /** Name and version of this program. */
  agent: string
  caller: Caller
  home(): Promise<Home>
  /** Null before registration. */
  settings(): Promise<Settings | null>
  /** What the agent that serves from here says of itself; null when none does. */
  serving(): Promise<{ pid: number } | null>
  engine(): Promise<Engine>
  engineInfo(): Promise<EngineInfo>
  detection(): Promise<Detection>
  /** Null before there is an identity. */
  strays(): Promise<Strays | null>
  /** A container started as shards are, without a card. */
  sandbox(): Promise<SandboxTrial>
  /** The jail test, as `serve` makes it for a slot without a card. */
  jail(): Promise<JailReport>
  /** Every card and slice that the agent would offer. */
  cards(): Promise<CardTrial[]>
  /** A container started with this card, each time anew. */
  gpuNodes(gpu: GpuPlacement): Promise<GpuNodes>
  minimumVersions(): Promise<LoadedTable>
  packages(): Promise<PackageManager | null>
  /** A file below the machine's root, such as `proc/1/comm`; null where it cannot be read. */
  text(place: string): Promise<string | null>
  /** A path below the machine's root. */
  path(place: string): string
}

export interface SiteOptions {
  openHome: () => Home
  sysfs: string
  agent: string
  /** Which engine and runtime the owner means; those that `serve` would take when not given. */
  isolation?: Pick<EngineWish, "engine" | "runtime">
  /** The machine's root; a folder in its place for tests. */
  root?: string
  caller?: Caller
}

export function openSite(
  {
    openHome,
    sysfs,
    agent,
    isolation = { engine: "auto", runtime: "auto" },
    root = "/",
    ...rest
  }: SiteOptions,
  signal: AbortSignal,
): Site {
  const home = lazily(async () => openHome())
  const engine = lazily(() => engineFor(isolation, signal))
  const detection = lazily(() => detectGpus({ sysfs, signal }))
  const strays = lazily(async () => findStrays(await engine(), await home(), signal))
  const path = (place: string) => join(root, place)
  const text = (place: string) => readFile(path(place), "utf8").catch(() => null)
  return {
    sysfs,
    agent,
    caller: rest.caller ?? callerOf(process.env),
    home,
    settings: lazily(async () => readSettings(await home())),
    serving: lazily(async () => (await askControl(await home())) as { pid: number } | null),
    engine,
    engineInfo: lazily(async () => readEngineInfo((await engine()).facts, signal)),
    detection,
    strays,
    sandbox: lazily(async () => {
      // The doctor's own container must not be found as one that was left over.
      await strays().catch(() => {})
      return trySandbox(await engine(), await home(), signal)
    }),
    jail: lazily(async () => {
      const { root, shards, rules } = await home()
      const [disks, { profile }] = [await chooseDisks(shards, signal), await readRules(rules)]
      return tryJail({ engine: await engine(), disks, profile }, { root }, signal)
    }),
    cards: lazily(async () => cardsToTry((await detection()).gpus, await engine())),
    gpuNodes: async gpu => tryCard(await engine(), gpu, await home(), signal),
    minimumVersions: lazily(async () => {
      const place = await home().catch(() => null)
      return loadMinimumVersions(place?.minimumVersions ?? "")
    }),
    packages: lazily(async () => packageManager(await text("etc/os-release"))),
    path,
    text,
  }
}

/** The one that `serve` would take; where none works, the one that can be asked why. */
async function engineFor(
  isolation: Pick<EngineWish, "engine" | "runtime">,
  signal: AbortSignal,
): Promise<Engine> {
  try {
    return (await chooseEngine({ ...isolation, gpus: false, signal })).engine
  } catch (error) {
    if (!isFault(error) || isFault(error, "engine-missing", "engine-silent")) throw error
    const { engine } = isolation
    return await connectEngine({ signal, ...(engine === "auto" ? {} : { engine }) })
  }
}

function callerOf(env: NodeJS.ProcessEnv): Caller {
  const isRoot = process.getuid?.() === 0
  return { name: os.userInfo().username, isRoot, sudoUser: (isRoot && env.SUDO_USER) || null }
}

function lazily<T>(see: () => Promise<T>): () => Promise<T> {
  let seen: Promise<T> | undefined
  return () => {
    seen ??= see()
    return seen
  }
}
