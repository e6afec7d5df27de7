import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

/** The last caches before the memory, in bytes. */
export interface LastCaches {
  /** Of all together. */
  sum: number
  /** What one core alone can use. */
  largest: number
}

/** Where the machine does not tell: more than most have. */
const ASSUMED: LastCaches = { sum: 64 << 20, largest: 64 << 20 }

interface Cache {
  level: number
  bytes: number
  /** The cores that share it. */
  cores: string
}

/** What sysfs tells of the data caches (Linux, Documentation/ABI/testing/sysfs-devices-system-cpu). */
export async function lookAtCaches(root = "/sys/devices/system/cpu"): Promise<LastCaches> {
  const cores = (await readdir(root).catch(() => [])).filter(name => /^cpu\d+$/.test(name))
  const caches = await Promise.all(cores.map(core => cachesOf(join(root, core, "cache"))))
  return lastOf(caches.flat())
}

/** @param caches of each core, those that cores share as often as they are shared. */
export function lastOf(caches: readonly Cache[]): LastCaches {
  const level = Math.max(...caches.map(cache => cache.level))
  const last = caches.filter(cache => cache.level === level)
  const sizes = [...new Map(last.map(({ cores, bytes }) => [cores, bytes])).values()]
  if (sizes.length === 0) return ASSUMED
  return { sum: sizes.reduce((sum, bytes) => sum + bytes, 0), largest: Math.max(...sizes) }
}

async function cachesOf(folder: string): Promise<Cache[]> {
  const names = (await readdir(folder).catch(() => [])).filter(name => /^index\d+$/.test(name))
  const caches = await Promise.all(names.map(name => cacheAt(join(folder, name)).catch(() => null)))
  return caches.filter(cache => cache !== null)
}

async function cacheAt(folder: string): Promise<Cache | null> {
  const read = async (name: string) => (await readFile(join(folder, name), "utf8")).trim()
  const kib = /^(\d+)K$/.exec(await read("size"))?.[1]
  if (kib === undefined || (await read("type")) === "Instruction") return null
  return {
    level: Number(await read("level")),
    bytes: Number(kib) * 1024,
    cores: await read("shared_cpu_list"),
  }
}
