import { readdir, readFile } from "node:fs/promises"
import { extname, join } from "node:path"
import { parse } from "yaml"
import { z } from "zod"

/** Where engines look for CDI specifications (CDI specification, "Specification files"). */
export const CDI_FOLDERS: readonly string[] = ["/etc/cdi", "/var/run/cdi"]

const Specification = z.object({
  kind: z.string().min(1),
  devices: z.array(z.object({ name: z.coerce.string() })).default([]),
})

/** All devices that this machine's CDI specifications name, such as `nvidia.com/gpu=GPU-…`; a file that cannot be read has none. */
export async function cdiDevices(folders: readonly string[] = CDI_FOLDERS): Promise<string[]> {
  const names = await Promise.all(folders.map(devicesIn))
  return [...new Set(names.flat())].sort()
}

async function devicesIn(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => [])
  const wanted = files.filter(name => [".json", ".yaml", ".yml"].includes(extname(name)))
  const named = await Promise.all(wanted.map(name => devicesOf(join(folder, name))))
  return named.flat()
}

async function devicesOf(path: string): Promise<string[]> {
  try {
    // JSON is YAML.
    const { kind, devices } = Specification.parse(parse(await readFile(path, "utf8")))
    return devices.map(({ name }) => `${kind}=${name}`)
  } catch {
    return []
  }
}
