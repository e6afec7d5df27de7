import { execFile } from "node:child_process"
import { chmod, cp, mkdir, mkdtemp, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { gzipSync } from "node:zlib"
import { type Digest, digestOf } from "../../src/protocol/digest.ts"
import type { Image } from "../../src/protocol/shard-spec.ts"
import type { StandInRegistry } from "../stand-in/registry.ts"

const exec = promisify(execFile)

/** What the probes in these tests run; each comes from the machine that runs the tests, with the libraries it needs. */
const PROGRAMS = [
  "sh",
  "cat",
  "ls",
  "ln",
  "mkdir",
  "sleep",
  "head",
  "wc",
  "cp",
  "env",
  "id",
  "mkfifo",
  "mv",
  "truncate",
]

/**
 * Puts an image with a shell and a few programs of this machine into a registry, so that it needs no network and no engine to be made.
 * @param config more of the image's configuration, such as `{ Volumes: { "/data": {} } }`.
 */
export async function publishShellImage(
  registry: StandInRegistry,
  name: string,
  config: Record<string, unknown> = {},
): Promise<Image> {
  return publishImage(registry, name, await shellLayer(), config)
}

/** An image of one layer. @param tar what its layer unpacks to. */
export function publishImage(
  registry: StandInRegistry,
  name: string,
  tar: Buffer,
  config: Record<string, unknown> = {},
): Image {
  const layer = gzipSync(tar, { level: 1 })
  const configBytes = json({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Env: ["PATH=/bin", "LD_PRELOAD=/evil.so", "NVIDIA_VISIBLE_DEVICES=all"], ...config },
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    history: [],
  })
  const describe = (mediaType: string, bytes: Buffer) => ({
    mediaType: `application/vnd.docker.${mediaType}`,
    size: bytes.length,
    digest: registry.put(bytes),
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: describe("container.image.v1+json", configBytes),
    layers: [describe("image.rootfs.diff.tar.gzip", layer)],
  })
  return { name, digest: registry.put(manifest) as Digest }
}

export async function shellLayer(): Promise<Buffer> {
  const root = await mkdtemp(join(tmpdir(), "zg-image-"))
  try {
    // It becomes the image's root, which every user has to enter.
    await chmod(root, 0o755)
    await mkdir(join(root, "bin"))
    for (const program of PROGRAMS) await install(program, root)
    const { stdout } = await exec(
      "tar",
      ["--create", "--numeric-owner", "--owner=0", "--group=0", "-C", root, "."],
      {
        encoding: "buffer",
        maxBuffer: 256 << 20,
      },
    )
    return stdout
  } finally {
    await rm(root, { recursive: true })
  }
}

async function install(program: string, root: string): Promise<void> {
  const { stdout } = await exec("sh", ["-c", 'command -v "$1"', "sh", program])
  const path = await realpath(stdout.trim())
  await cp(path, join(root, "bin", program))
  // A static program has no libraries, and ldd says so with an error.
  const { stdout: listed } = await exec("ldd", [path]).catch(() => ({ stdout: "" }))
  for (const [library] of listed.matchAll(/\/[^\s:()]+/g)) await copyLibrary(library, root)
}

async function copyLibrary(library: string, root: string): Promise<void> {
  const target = join(root, library)
  await mkdir(dirname(target), { recursive: true })
  await cp(await realpath(library), target)
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
