import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Leftovers } from "./facts.ts"
import type { Lane } from "./lane.ts"

/** Whatever of the agent's and its shards' lies about while nothing is being done. */
export async function leftoversOf(lane: Lane): Promise<Leftovers> {
  const { daemon, place } = lane
  const home = place.home("agent")
  const lists = await Promise.all([
    named("container", await daemon.lines(["ps", "--all", "--format={{.ID}} {{.Status}}"])),
    named("volume", await daemon.lines(["volume", "ls", "--quiet"])),
    named("mount", await mountsUnder(`${home}/`)),
    named("loop device", await loopsUnder(`${home}/`)),
    named("shard folder", await namesIn(join(home, "shards"))),
    named("temporary file", await namesIn(place.scratch)),
    named("half-written blob", await namesIn(join(home, "blobs/partial"))),
    named("draft", (await namesIn(join(home, "proofs"))).filter(isDraft)),
    named("draft", (await namesIn(home)).filter(isDraft)),
  ])
  return lists.flat()
}

function named(kind: string, things: readonly string[]): Leftovers {
  return things.map(thing => `${kind} ${thing}`)
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

function isDraft(name: string): boolean {
  return name.endsWith(".draft")
}

/** The fifth field of a line is where it is mounted (proc_pid_mountinfo(5)). */
async function mountsUnder(prefix: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n")
  return lines.map(line => line.split(" ")[4] ?? "").filter(path => path.startsWith(prefix))
}

async function loopsUnder(prefix: string): Promise<string[]> {
  const devices = (await namesIn("/sys/block")).filter(name => name.startsWith("loop"))
  const files = await Promise.all(
    devices.map(name => readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "")),
  )
  return files.map(file => file.trim()).filter(file => file.startsWith(prefix))
}
