import { z } from "zod"
import { callDocker } from "../container/docker.ts"
import type { EngineFacts } from "../container/engine.ts"

const ANSWER_LIMIT_MS = 15_000

/** What an engine's `info` and `version` tell beyond what a shard's run needs. */
export interface EngineInfo {
  runtimes: string[]
  /** Where images and containers lie, as the engine's own machine calls it. */
  rootDir: string | null
  /** Where the engine looks for CDI specifications; null where it does not tell (before Docker 25). */
  cdiSpecDirs: string[] | null
  /** Docker Desktop runs its engine in a virtual machine of its own. */
  desktop: boolean
  rootless: boolean
  /** Name and version of the engine's parts, such as runc; with the distribution's suffix where there is one. */
  components: { name: string; version: string }[]
}

const Info = z.object({
  Runtimes: z.record(z.string(), z.unknown()).nullable().default({}),
  DockerRootDir: z.string().default(""),
  CDISpecDirs: z.array(z.string()).nullable().default(null),
  OperatingSystem: z.string().default(""),
  SecurityOptions: z.array(z.string()).nullable().default([]),
})

const Component = z.object({
  Name: z.string(),
  Version: z.string(),
  Details: z.record(z.string(), z.string()).nullable().default({}),
})
const Versions = z.object({
  Server: z.object({ Components: z.array(Component).nullable().default([]) }).nullable(),
})

/** @throws Fault `engine-missing`, `engine-silent`; ZodError when the engine does not answer as engines do. */
export async function readEngineInfo(
  { name: engine, runtimeFlag }: Pick<EngineFacts, "name" | "runtimeFlag">,
  signal: AbortSignal,
): Promise<EngineInfo> {
  const options = { signal, timeoutMs: ANSWER_LIMIT_MS }
  if (engine === "podman") {
    const globals = runtimeFlag === null ? [] : [`--runtime=${runtimeFlag}`]
    const { stdout } = await callDocker(engine, [...globals, "info", "--format=json"], options)
    return parsePodmanInfo(JSON.parse(stdout))
  }
  const [info, versions] = await Promise.all([
    callDocker(engine, ["info", "--format={{json .}}"], options),
    callDocker(engine, ["version", "--format={{json .}}"], options),
  ])
  return parseEngineInfo(JSON.parse(info.stdout), JSON.parse(versions.stdout))
}

export function parseEngineInfo(infoJson: unknown, versionsJson: unknown): EngineInfo {
  const info = Info.parse(infoJson)
  const components = Versions.parse(versionsJson).Server?.Components ?? []
  return {
    runtimes: Object.keys(info.Runtimes ?? {}),
    rootDir: info.DockerRootDir || null,
    cdiSpecDirs: info.CDISpecDirs,
    desktop: info.OperatingSystem.includes("Docker Desktop"),
    rootless: (info.SecurityOptions ?? []).some(option => option.includes("name=rootless")),
    components: components.map(({ Name, Version, Details }) => ({
      name: Name,
      version: wholeVersion(Version, Details?.GitCommit ?? ""),
    })),
  }
}

const PodmanInfo = z.object({
  host: z.object({
    ociRuntime: z.object({ name: z.string(), version: z.string().default("") }),
    security: z.object({ rootless: z.boolean() }),
  }),
  store: z.object({ graphRoot: z.string().default("") }),
})

/** As `podman info` tells it. */
export function parsePodmanInfo(infoJson: unknown): EngineInfo {
  const { host, store } = PodmanInfo.parse(infoJson)
  const { name, version } = host.ociRuntime
  return {
    runtimes: [name],
    rootDir: store.graphRoot || null,
    cdiSpecDirs: null,
    desktop: false,
    rootless: host.security.rootless,
    // `crun version 1.8.1` and more lines.
    components: [{ name, version: /version (\S+)/.exec(version)?.[1] ?? version }],
  }
}

/** Debian cuts its revision off the version and leaves it in the field for the commit. */
function wholeVersion(version: string, commit: string): string {
  return commit.startsWith(version) && commit.length > version.length ? commit : version
}
