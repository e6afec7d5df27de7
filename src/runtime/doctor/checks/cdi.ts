import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { parse } from "yaml"
import { z } from "zod"
import { findToolkit } from "../../host/escapes/find-toolkit.ts"
import type { DetectedGpu } from "../../host/gpu.ts"
import { type Finding, ok, skipped, warning } from "../check.ts"
import type { Fix } from "../fix.ts"
import type { Inspection } from "../inspection.ts"

const GENERATE = ["nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml"] as const
const FOLDERS = ["etc/cdi", "var/run/cdi"]

/** The fields of a specification that decide something (cncf-tags/container-device-interface, SPEC.md). */
const Spec = z.object({ kind: z.string(), devices: z.array(z.object({ name: z.string() })).default([]) })

export interface Cdi {
  cards: readonly Pick<DetectedGpu, "vendor" | "uuid" | "mig">[]
  /** Full names in the specifications' files, such as `nvidia.com/gpu=0`. */
  named: readonly string[]
  /** Files that cannot be read, and why. */
  damaged: readonly string[]
  /** What the engine says it has found; null where it does not tell. */
  found: readonly string[] | null
  /** Whether the specification can be made by this process. */
  canGenerate: boolean
}

export const cdi: Inspection = {
  id: "cdi",
  title: "CDI",
  limitMs: 55_000,
  async look(site, signal) {
    const { gpus: cards } = await site.detection()
    if (!cards.some(({ vendor }) => vendor !== "intel")) return skipped("no NVIDIA or AMD card is seen")
    const [info, engine] = [await site.engineInfo().catch(() => null), await site.engine().catch(() => null)]
    const folders = new Set([...FOLDERS.map(place => site.path(place)), ...(info?.cdiSpecDirs ?? [])])
    const read = await readSpecs([...folders])
    const devices = engine?.facts.cdiDevices ?? []
    const canGenerate = site.caller.isRoot && (await findToolkit(signal))?.program === GENERATE[0]
    return judgeCdi({ cards, ...read, found: devices.length > 0 ? devices : null, canGenerate })
  },
}

/** Every device that the specifications in these folders name. */
export async function readSpecs(folders: readonly string[]): Promise<Pick<Cdi, "named" | "damaged">> {
  const named: string[] = []
  const damaged: string[] = []
  for (const folder of folders) {
    for (const file of await readdir(folder).catch(() => [])) {
      if (!/\.(ya?ml|json)$/.test(file)) continue
      try {
        const { kind, devices } = parseSpec(await readFile(join(folder, file), "utf8"))
        named.push(...devices.map(({ name }) => `${kind}=${name}`))
      } catch (error) {
        damaged.push(`${join(folder, file)}: ${(error as Error).message.split("\n")[0]}`)
      }
    }
  }
  return { named, damaged }
}

/** A specification in YAML, of which JSON is a part. @throws Error when it is none. */
export function parseSpec(text: string): z.infer<typeof Spec> {
  const parsed = Spec.safeParse(parse(text, { logLevel: "silent" }))
  if (parsed.success) return parsed.data
  throw new Error("it is no CDI specification")
}

export function judgeCdi({ cards, named, damaged, found, canGenerate }: Cdi): Finding {
  const fixes: Fix[] = canGenerate ? [{ kind: "run", argv: GENERATE }] : []
  const generate = { command: `sudo ${GENERATE.join(" ")}`, fixes }
  if (damaged.length > 0) {
    return warning(damaged.join("\n"), { remedy: "Make the specification anew.", ...generate })
  }
  const amd = named.filter(name => name.startsWith("amd.com/gpu=")).length
  const beside = amd === 0 ? "" : `; ${amd} names of AMD cards`
  const nvidia = cards.filter(({ vendor }) => vendor === "nvidia")
  if (nvidia.length === 0) return ok(`not needed for AMD cards${beside}`)
  const names = named.filter(name => name.startsWith("nvidia.com/gpu=")).map(name => name.slice(15))
  if (names.length === 0) {
    return warning("There is no CDI specification of the NVIDIA cards; containers get them by --gpus.", {
      remedy:
        "With --gpus a container can lose its card when systemd reloads its units; with CDI it does not.",
      ...generate,
    })
  }
  const wrong = mismatch(uuidsOf(nvidia), names)
  if (wrong !== null) return warning(wrong, { remedy: "Make the specification anew.", ...generate })
  const heard =
    found === null ? "; this engine does not tell whether it reads them (Docker does from 28.2 on)" : ""
  return ok(`names every NVIDIA card by its UUID${beside}${heard}`)
}

/** A card cut into slices is passed on by slice. */
function uuidsOf(cards: Cdi["cards"]): string[] {
  return cards
    .flatMap(({ uuid, mig }) => (mig === null ? [uuid] : mig.map(slice => slice.uuid)))
    .filter(uuid => uuid !== null)
}

function mismatch(uuids: readonly string[], names: readonly string[]): string | null {
  const byUuid = names.filter(name => /^(GPU|MIG)-/.test(name))
  if (byUuid.length === 0) return "The CDI specification names the cards by number alone, which may change."
  const missing = uuids.filter(uuid => !byUuid.includes(uuid))
  const gone = byUuid.filter(name => !uuids.includes(name))
  const told = [
    missing.length === 0 ? [] : [`lacks ${missing.join(", ")}`],
    gone.length === 0 ? [] : [`names ${gone.join(", ")}, which is not in this machine`],
  ].flat()
  return told.length === 0 ? null : `The CDI specification is not of these cards: it ${told.join(" and ")}.`
}
