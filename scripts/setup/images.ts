import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, rename, stat } from "node:fs/promises"
import { join } from "node:path"
import { execa } from "execa"
import { Fault } from "../../src/protocol/fault.ts"
import { hasProgram, installPackages } from "./packages.ts"
import { step } from "./step.ts"

export const TRAINER = "zg-agent/trainer:cpu"
export const CORPUS = ".cache/corpus/kjv.txt"

const DEBIAN = "debian:bookworm-slim"
const OWN_BASE = "zg-agent/base:bookworm"
const PULL_LIMIT_MS = 120_000
const BUILD_LIMIT_MS = 900_000

/** The trainer's image and the training text: made once, and again only when what they are made from has changed. */
export async function prepareImages(): Promise<void> {
  await step("Trainer image", async say => {
    await buildUnlessThere("trainer", TRAINER, say)
  })
  await step("Training text (King James Bible)", async say => {
    if (await exists(CORPUS)) return
    await buildUnlessThere("corpus", "zg-agent/corpus:kjv", say)
    await copyOut("zg-agent/corpus:kjv", "/corpus/kjv.txt", CORPUS)
  })
}

async function buildUnlessThere(name: string, tag: string, say: (what: string) => void): Promise<void> {
  const folder = join("images", name)
  const source = await folderDigest(folder)
  const { stdout } = await execa(
    "docker",
    ["image", "inspect", "--format", '{{index .Config.Labels "zg.source"}}', tag],
    {
      reject: false,
    },
  )
  if (stdout === source) return
  const base = await prepareBase(say)
  say("building it")
  await docker(
    [
      "build",
      "--quiet",
      "--pull=false",
      "--build-arg",
      `BASE=${base}`,
      "--label",
      `zg.source=${source}`,
      "--tag",
      tag,
      folder,
    ],
    BUILD_LIMIT_MS,
  )
}

/** Debian from a registry where one answers, else made from the system's packages. */
async function prepareBase(say: (what: string) => void): Promise<string> {
  for (const image of [DEBIAN, OWN_BASE]) {
    const { exitCode } = await execa("docker", ["image", "inspect", image], { reject: false })
    if (exitCode === 0) return image
  }
  say("pulling Debian")
  const pulled = await execa("docker", ["pull", "--quiet", DEBIAN], { reject: false, timeout: PULL_LIMIT_MS })
  if (pulled.exitCode === 0) return DEBIAN
  say("no registry answers: making Debian from the system's packages")
  if (!(await hasProgram("mmdebstrap"))) await installPackages("mmdebstrap", "debian-archive-keyring")
  const made = await execa("sh", ["images/base/build.sh"], {
    reject: false,
    timeout: BUILD_LIMIT_MS,
    all: true,
  })
  if (made.exitCode === 0) return OWN_BASE
  throw new Fault(
    "image-not-pulled",
    `Debian's image could neither be pulled nor made: ${lastLine(made.all)}`,
    {
      hint: `Pull it yourself with \`docker pull ${DEBIAN}\`, or run this as root on Debian with mmdebstrap installed.`,
    },
  )
}

async function copyOut(image: string, path: string, target: string): Promise<void> {
  const container = await docker(["create", image, "true"])
  try {
    await mkdir(join(target, ".."), { recursive: true })
    await docker(["cp", `${container}:${path}`, `${target}.partial`])
    await rename(`${target}.partial`, target)
  } finally {
    await docker(["rm", container])
  }
}

async function docker(args: string[], timeout = PULL_LIMIT_MS): Promise<string> {
  const { stdout, exitCode, all } = await execa("docker", args, { reject: false, timeout, all: true })
  if (exitCode === 0) return stdout.trim()
  throw new Fault("engine-refused", `docker ${args[0]} failed: ${lastLine(all)}`, {
    hint: `Run it yourself to see all that it says: docker ${args.join(" ")}`,
  })
}

async function folderDigest(folder: string): Promise<string> {
  const hash = createHash("sha256")
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile() && !entry.name.endsWith(".pyc"))
  for (const path of files.map(file => join(file.parentPath, file.name)).sort()) {
    hash.update(`${path}\0`).update(await readFile(path))
  }
  return hash.digest("hex")
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function lastLine(text: string | undefined): string {
  return text?.trim().split("\n").at(-1) ?? "it did not end in time"
}
