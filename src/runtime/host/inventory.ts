import { readFile } from "node:fs/promises"
import { z } from "zod"
import { writeAtomically } from "../../store/atomic-file.ts"
import type { DetectedGpu } from "./gpu.ts"
import { type Change, compareInventory, type InventoryCard, identitiesOf } from "./identity-of.ts"

const Inventory: z.ZodType<InventoryCard[]> = z.array(
  z.strictObject({
    identity: z.string(),
    pciAddress: z.string().nullable(),
    name: z.string().nullable(),
    vramTotalMiB: z.number().nullable(),
  }),
)

/**
 * Remembers the cards in a file and tells what has changed since it was written; nothing at the first time.
 * @throws an error of the file system, but not for a damaged file: that one is written anew.
 */
export async function noteInventory(path: string, gpus: DetectedGpu[]): Promise<Change[]> {
  const identities = identitiesOf(gpus)
  const now = gpus.map(({ pciAddress, name, vramTotalMiB }, at) => {
    return { identity: identities[at] ?? `index:${at}`, pciAddress, name, vramTotalMiB }
  })
  const before = await readInventory(path)
  const changes = before === null ? [] : compareInventory(before, now)
  if (before === null || JSON.stringify(before) !== JSON.stringify(now)) {
    await writeAtomically(path, JSON.stringify(now, null, 2))
  }
  return changes
}

async function readInventory(path: string): Promise<InventoryCard[] | null> {
  try {
    return Inventory.parse(JSON.parse(await readFile(path, "utf8")))
  } catch {
    return null
  }
}
