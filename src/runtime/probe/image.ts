import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { canonicalJson, type Digest, digestOf, hexOf } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { Engine } from "../container/engine.ts"
import { type TarEntry, tar } from "./tar.ts"

export const PROBE_IMAGE = "zg-agent/probe"

/** The compiled probe, by Node's name of the architecture. The same place seen from `src/` and from `dist/`. */
export function probeProgram(arch: string = process.arch): string {
  return fileURLToPath(new URL(`../../../dist/probe/${arch}/probe`, import.meta.url))
}

/** An image as one archive. */
export interface ImageArchive {
  /** `name:tag`; the tag follows from the image's content. */
  reference: string
  /** Of the image's configuration, which names the layer: the image's content in one value. */
  digest: Digest
  bytes: Buffer
}

/**
 * The probe's image as an OCI image layout that also holds Docker's own `manifest.json`, which Docker before version 25 and Podman read.
 * It is loaded and not imported: `docker import` writes the time into the configuration, so that every import is another image.
 */
export function imageArchive(program: Uint8Array, arch: string = process.arch): ImageArchive {
  const layer = blob("application/vnd.oci.image.layer.v1.tar", tar(LAYER(program)))
  const config = blob("application/vnd.oci.image.config.v1+json", configOf(layer.digest, arch))
  const manifest = blob("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor(config),
    layers: [descriptor(layer)],
  })
  const tag = hexOf(config.digest).slice(0, 16)
  const reference = `${PROBE_IMAGE}:${tag}`
  const bytes = tar([
    file("oci-layout", { imageLayoutVersion: "1.0.0" }),
    file("index.json", indexOf(manifest, reference, tag)),
    file("manifest.json", [{ Config: pathOf(config), RepoTags: [reference], Layers: [pathOf(layer)] }]),
    ...["blobs/", "blobs/sha256/"].map(name => ({ name, mode: 0o755 })),
    ...[layer, config, manifest].map(each => ({ name: pathOf(each), mode: 0o444, bytes: each.bytes })),
  ])
  return { reference, digest: config.digest, bytes }
}

/** The image's files: the program, again as set-uid, mount points of a shard (the root is read-only), and a folder to try to write to. */
const LAYER = (program: Uint8Array): TarEntry[] => [
  { name: "open/", mode: 0o1777 },
  { name: "probe", mode: 0o555, bytes: program },
  { name: "setuid-probe", mode: 0o4555, bytes: program },
  { name: "shard/", mode: 0o755 },
  { name: "tmp/", mode: 0o1777 },
]

function configOf(layer: Digest, arch: string): object {
  return {
    architecture: arch === "x64" ? "amd64" : arch,
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: { Entrypoint: ["/probe"], WorkingDir: "/shard" },
    rootfs: { type: "layers", diff_ids: [layer] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "zg-agent" }],
  }
}

function indexOf(manifest: ImageBlob, reference: string, tag: string): object {
  const annotations = {
    "io.containerd.image.name": `docker.io/${reference}`,
    "org.opencontainers.image.ref.name": tag,
  }
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ ...descriptor(manifest), annotations }],
  }
}

interface ImageBlob {
  mediaType: string
  digest: Digest
  bytes: Buffer
}

function blob(mediaType: string, content: Buffer | object): ImageBlob {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(canonicalJson(content))
  return { mediaType, digest: digestOf(bytes), bytes }
}

function descriptor({ mediaType, digest, bytes }: ImageBlob): object {
  return { mediaType, digest, size: bytes.length }
}

function pathOf({ digest }: ImageBlob): string {
  return `blobs/sha256/${hexOf(digest)}`
}

function file(name: string, content: unknown): TarEntry {
  return { name, mode: 0o444, bytes: Buffer.from(canonicalJson(content)) }
}

/**
 * The id of the probe's image in this engine, which takes it in when it is not there yet.
 * @param scratch A folder that exists, for the archive on its way.
 * @throws Fault `probe-missing`, `image-missing` when the engine does not take it, `engine-*`.
 */
export async function prepareProbeImage(
  engine: Engine,
  scratch: string,
  signal: AbortSignal,
  program: string = probeProgram(),
): Promise<string> {
  const archive = imageArchive(await readProgram(program))
  const there = await engine.images.id(archive.reference, signal)
  if (there !== null) return there
  const path = join(scratch, "probe-image.tar")
  try {
    await writeFile(path, archive.bytes, { mode: 0o600 })
    await engine.images.load(path, signal)
  } finally {
    await rm(path, { force: true })
  }
  const id = await engine.images.id(archive.reference, signal)
  if (id === null) throw notTaken(archive.reference)
  return id
}

async function readProgram(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new Fault("probe-missing", `The probe was not built for ${process.arch}: ${path} is not there.`, {
      hint: "Install a C compiler with the static C library (Debian: `apt install gcc libc6-dev`), then run `npm run build`.",
      facts: { path, arch: process.arch },
      cause,
    })
  }
}

function notTaken(reference: string): Fault {
  return new Fault(
    "image-missing",
    `The engine took in the probe's image but does not know it as ${reference}.`,
    {
      hint: "See what `docker images` shows, and what the engine's own log says (`journalctl -u docker`).",
      facts: { reference },
    },
  )
}
