import { access } from "node:fs/promises"
import os from "node:os"
import { type Finding, failed, ok, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export interface Kind {
  /** `/proc/sys/kernel/osrelease`, such as `5.15.90.1-microsoft-standard-WSL2`. */
  kernel: string
  /** Whether the file is there through which WSL2 reaches the GPU of Windows. */
  hasDxg: boolean
  /** Whether the driver of Windows has put its tool here. */
  hasNvidiaSmi: boolean
  inContainer: boolean
}

export const wsl: Inspection = {
  id: "wsl",
  title: "Machine",
  async look(site) {
    const isThere = (place: string) =>
      access(site.path(place)).then(
        () => true,
        () => false,
      )
    const [hasDxg, hasNvidiaSmi, ...containers] = await Promise.all(
      ["dev/dxg", "usr/lib/wsl/lib/nvidia-smi", ".dockerenv", "run/.containerenv"].map(isThere),
    )
    return judgeKind({
      kernel: (await site.text("proc/sys/kernel/osrelease"))?.trim() ?? os.release(),
      hasDxg: hasDxg === true,
      hasNvidiaSmi: hasNvidiaSmi === true,
      inContainer: containers.includes(true),
    })
  },
}

/** WSL's kernels have Microsoft's name in their release: WSL1 `-Microsoft`, WSL2 `-microsoft-standard-WSL2`. */
export function judgeKind({ kernel, hasDxg, hasNvidiaSmi, inContainer }: Kind): Finding {
  const inside = inContainer ? ", inside a container" : ""
  if (!/microsoft/i.test(kernel)) return ok(`${os.type()} ${kernel}, not WSL${inside}`)
  if (!/wsl2|microsoft-standard/i.test(kernel)) {
    return failed(`WSL1 (${kernel})${inside}`, {
      remedy: "WSL1 runs no containers. In Windows, convert this distribution to WSL2.",
      command: `wsl --set-version ${process.env.WSL_DISTRO_NAME ?? "Ubuntu"} 2`,
    })
  }
  const fact = `WSL2 (${kernel})${inside}`
  if (hasDxg && hasNvidiaSmi) return ok(`${fact}, with the NVIDIA driver of Windows`)
  if (hasDxg) return ok(`${fact}, a GPU is passed on, but no NVIDIA driver`)
  return warning(`${fact}, no GPU is passed on: /dev/dxg is missing`, {
    remedy: "In Windows, install the maker's current driver, update WSL, and start it again.",
    command: "wsl --update\nwsl --shutdown",
  })
}
