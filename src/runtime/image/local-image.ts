import { statfs } from "node:fs/promises"
import { callDocker } from "../container/docker.ts"

const QUICK_LIMIT_MS = 30_000

/** Where each engine's `info` tells the folder that images lie in. */
const ROOT_FORMATS: Record<string, string> = { podman: "{{.Store.GraphRoot}}" }
const DOCKER_ROOT = "{{.DockerRootDir}}"

/**
 * Free bytes where the engine keeps its images; null where it does not tell, or has them on another machine.
 * @param program the engine's command line.
 */
export async function roomForImages(program: string, signal: AbortSignal): Promise<number | null> {
  const format = ROOT_FORMATS[program] ?? DOCKER_ROOT
  const { ok, stdout } = await callDocker(program, ["info", `--format=${format}`], {
    signal,
    timeoutMs: QUICK_LIMIT_MS,
  })
  if (!ok || !stdout.startsWith("/")) return null
  const disk = await statfs(stdout.trim()).catch(() => null)
  return disk && disk.bavail * disk.bsize
}

/** What an image on this machine takes up, unpacked, in bytes; null when the engine does not tell. */
export async function unpackedBytes(
  program: string,
  reference: string,
  signal: AbortSignal,
): Promise<number | null> {
  const args = ["image", "inspect", "--format={{.Size}}", reference]
  const { ok, stdout } = await callDocker(program, args, { signal, timeoutMs: QUICK_LIMIT_MS })
  return ok && /^\d+$/.test(stdout.trim()) ? Number(stdout) : null
}

/** Takes an image off this machine, where no container uses it. */
export async function removeImage(program: string, reference: string, signal: AbortSignal): Promise<void> {
  await callDocker(program, ["image", "rm", reference], { signal, timeoutMs: QUICK_LIMIT_MS })
}
