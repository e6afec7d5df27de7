import { readFile } from "node:fs/promises"
import { z } from "zod"
import { firstIssue } from "../../../protocol/frame.ts"
import { hasFix, parseVersion } from "./version.ts"

const VersionText = z.string().refine(text => parseVersion(text) !== null, "is no version")

/** A known way out of a container. */
export const KnownEscape = z.strictObject({
  component: z.enum(["nvidia-container-toolkit", "runc"]),
  cve: z.string().regex(/^CVE-\d{4}-\d{4,}$/),
  /** The first fixed version of each line; empty where nobody has told it yet. */
  fixed: z.array(VersionText),
  /** Which use of the component is affected. */
  affects: z.string().min(1).max(200),
  source: z.url({ protocol: /^https$/ }),
})
export type KnownEscape = z.infer<typeof KnownEscape>

/** Below which versions shards are not safe; `minimum-versions.json` in the state folder replaces the built-in table. */
export const MinimumVersions = z.strictObject({
  updated: z.iso.date(),
  escapes: z.array(KnownEscape).min(1),
})
export type MinimumVersions = z.infer<typeof MinimumVersions>

const TOOLKIT = "nvidia-container-toolkit"
const NVIDIA = "https://nvidia.custhelp.com/app/answers/detail/a_id"
const ADVISORIES = "https://github.com/advisories"
const RUNC_2025 = ["1.2.8", "1.3.3", "1.4.0-rc.3"]

export const BUILT_IN: MinimumVersions = {
  updated: "2026-11-22",
  escapes: [
    toolkit("CVE-2024-0132", ["1.16.2"], "the default mode, not CDI", `${NVIDIA}/5582`),
    toolkit("CVE-2025-23359", ["1.17.4"], "the default mode, not CDI", `${ADVISORIES}/GHSA-4hmh-pm5p-9j7j`),
    toolkit("CVE-2025-23266", ["1.17.8"], "every mode; CDI before 1.17.5", `${NVIDIA}/5659`),
    toolkit("CVE-2025-23267", ["1.17.8"], "every mode; CDI before 1.17.5", `${NVIDIA}/5659`),
    // A race, as the first one was; no source that we trust names the version that ends it.
    toolkit("CVE-2026-24260", [], "not told", "https://www.cve.org/CVERecord?id=CVE-2026-24260"),
    runc("CVE-2024-21626", ["1.1.12"], "GHSA-xr7r-f8xq-vfvv"),
    runc("CVE-2025-31133", RUNC_2025, "GHSA-9493-h29p-rfm2"),
    runc("CVE-2025-52565", RUNC_2025, "GHSA-qw9x-cqr3-wc7r"),
    runc("CVE-2025-52881", RUNC_2025, "GHSA-cgrx-mc8f-2prm"),
  ],
}

function toolkit(cve: string, fixed: string[], affects: string, source: string): KnownEscape {
  return { component: TOOLKIT, cve, fixed, affects, source }
}

function runc(cve: string, fixed: string[], advisory: string): KnownEscape {
  return { component: "runc", cve, fixed, affects: "every container", source: `${ADVISORIES}/${advisory}` }
}

export interface Risk {
  /** `unsure`: below the minimum, but a distribution may have put the fix into it, or its version cannot be read. */
  state: "none" | "unsure" | "escape"
  /** The escapes that this version's number leaves open. */
  open: KnownEscape[]
  /** Escapes of which no fixed version is known. */
  unconfirmed: KnownEscape[]
}

/**
 * What is known against this version of a component; null stands for a version that does not tell itself.
 * @param mended CVEs that its distribution has put right in it, whatever its number.
 */
export function riskOf(
  component: KnownEscape["component"],
  text: string | null,
  { escapes }: MinimumVersions,
  mended: readonly string[] = [],
): Risk {
  const known = escapes.filter(row => row.component === component && !mended.includes(row.cve))
  const unconfirmed = known.filter(({ fixed }) => fixed.length === 0)
  const version = text === null ? null : parseVersion(text)
  if (version === null) return { state: "unsure", open: [], unconfirmed }
  const open = known.filter(({ fixed }) => {
    const fixes = fixed.map(parseVersion).filter(fix => fix !== null)
    return fixes.length > 0 && !hasFix(version, fixes)
  })
  if (open.length === 0) return { state: "none", open, unconfirmed }
  return { state: version.packaged ? "unsure" : "escape", open, unconfirmed }
}

/** What is known against this NVIDIA Container Toolkit: with `escape` no shard may have an NVIDIA card. */
export function toolkitRisk(version: string | null, table: MinimumVersions): Risk {
  return riskOf(TOOLKIT, version, table)
}

export interface LoadedTable {
  table: MinimumVersions
  /** The file it came from; null for the built-in one. */
  from: string | null
  /** What is wrong with the file, where it could not be used. */
  damage: string | null
}

/** The table in force. A file that cannot be used is told, and changes nothing. */
export async function loadMinimumVersions(path: string): Promise<LoadedTable> {
  const builtIn = (damage: string | null) => ({ table: BUILT_IN, from: null, damage })
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, "utf8"))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return builtIn(code === "ENOENT" ? null : message)
  }
  const parsed = MinimumVersions.safeParse(json)
  return parsed.success ? { table: parsed.data, from: path, damage: null } : builtIn(firstIssue(parsed.error))
}
