import { stat, statfs } from "node:fs/promises"
import { type Finding, failed, ok, together, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

const GIB = 2 ** 30
const LEAST_GIB = 5
/** An image of PyTorch with CUDA has 8 GB; a few of them, and inputs and outputs, need this much. */
const GOOD_GIB = 50

export interface Space {
  /** What lies there. */
  what: string
  path: string
  freeBytes: number
}

export const diskSpace: Inspection = {
  id: "disk-space",
  title: "Disk space",
  async look(site) {
    const home = await site.home().catch(() => null)
    const info = await site.engineInfo().catch(() => null)
    const places = [
      ...(home === null ? [] : [{ what: "the agent's state", path: home.root }]),
      ...(info?.rootDir ? [{ what: "images", path: info.rootDir }] : []),
    ]
    const disks = new Map<number, Space>()
    for (const place of places) {
      const disk = await sizeUp(place)
      // An engine in a virtual machine has its folder where this machine has none.
      if (disk === null) continue
      const known = disks.get(disk.device)
      disks.set(disk.device, known ? { ...known, what: `${known.what} and ${place.what}` } : disk)
    }
    return judgeSpace([...disks.values()])
  },
}

async function sizeUp({
  what,
  path,
}: Omit<Space, "freeBytes">): Promise<(Space & { device: number }) | null> {
  try {
    const [{ dev }, { bavail, bsize }] = await Promise.all([stat(path), statfs(path)])
    return { what, path, freeBytes: bavail * bsize, device: dev }
  } catch {
    return null
  }
}

export function judgeSpace(disks: readonly Space[]): Finding {
  return together(disks.map(judgeDisk))
}

function judgeDisk({ what, path, freeBytes }: Space): Finding {
  const gib = freeBytes / GIB
  const fact = `${gib.toFixed(gib < 10 ? 1 : 0)} GiB free for ${what} (${path})`
  if (gib >= GOOD_GIB) return ok(fact)
  const remedy = {
    remedy: `An image of PyTorch with CUDA alone takes 8 GB: make room up to ${GOOD_GIB} GiB. What no container uses can go:`,
    command: "docker system df",
  }
  return gib < LEAST_GIB ? failed(fact, remedy) : warning(fact, remedy)
}
