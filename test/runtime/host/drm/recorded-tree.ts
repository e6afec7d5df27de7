import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { onTestFinished } from "vitest"

const RECORDED = path.resolve(import.meta.dirname, "../../../recorded")

export const ID_FILES = {
  amdgpuIds: [`${RECORDED}/amd/amdgpu.ids`],
  pciIds: [`${RECORDED}/amd/pci.ids`],
}

/** Programs that are nowhere, for tests of sysfs alone. */
export const NO_PROGRAMS = { rocmSmi: ["/nowhere/rocm-smi"], amdSmi: ["/nowhere/amd-smi"] }

export interface Entry {
  place: string
  /** A link's target begins with `@`. */
  content: string
}

/** A recorded machine: lines `path<TAB>content`, with `\n` for a line's end; `@target` is a link. */
export async function recordedTree(name: string): Promise<Entry[]> {
  const text = await readFile(`${RECORDED}/drm/${name}.txt`, "utf8")
  return text
    .split("\n")
    .filter(line => line !== "" && !line.startsWith("#"))
    .map(line => {
      const [place = "", content = ""] = line.split("\t")
      return { place, content: content.replaceAll("\\n", "\n") }
    })
}

/** Lays a tree out in a temporary folder that lasts as long as the test, and tells where. */
export async function unpack(entries: Entry[]): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), "zg-sysfs-"))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  for (const { place, content } of entries) {
    const file = path.join(root, place)
    await mkdir(path.dirname(file), { recursive: true })
    if (content.startsWith("@")) await symlink(content.slice(1), file)
    else await writeFile(file, content)
  }
  return root
}

export async function unpackRecorded(name: string): Promise<string> {
  return unpack(await recordedTree(name))
}
