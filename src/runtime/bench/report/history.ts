import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { CapacityReport } from "../../../protocol/capacity-report.ts"
import { Bundle } from "../../../protocol/statement.ts"
import { writeAtomically } from "../../../store/atomic-file.ts"

/** Older reports than these are removed. */
const KEPT = 50

/** A report with its signature. */
export const SignedReport = z.strictObject({ report: CapacityReport, bundle: Bundle })
export type SignedReport = z.infer<typeof SignedReport>

/** A report as a home has it. */
export interface KeptReport extends SignedReport {
  /** The last run on this machine before it that measured all of its parts. */
  previous: CapacityReport | null
  path: string
}

/** By the time at which it was begun, without the colons that some file systems refuse. */
export function fileNameOf({ startedOn }: CapacityReport): string {
  return `${startedOn.replaceAll(":", "-")}.json`
}

/** The reports of a home: one JSON file each. */
export class History {
  readonly #folder: string

  /** @param folder made when the first report is kept. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws Fault `disk-full`. */
  async keep(made: SignedReport): Promise<KeptReport> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await writeAtomically(this.#pathOf(made), `${JSON.stringify(made, null, 2)}\n`)
    const old = (await this.#names()).slice(KEPT)
    await Promise.all(old.map(name => rm(join(this.#folder, name), { force: true })))
    return this.withPrevious(made)
  }

  /** A report with what was measured before it. */
  async withPrevious(made: SignedReport): Promise<KeptReport> {
    const { startedOn, parts } = made.report
    const before = await this.newest(
      other => other.startedOn < startedOn && parts.every(part => other.parts.includes(part)),
    )
    return { ...made, previous: before?.report ?? null, path: this.#pathOf(made) }
  }

  /** The newest report that fits, null where there is none; a damaged file is passed over. */
  async newest(fits: (report: CapacityReport) => boolean = () => true): Promise<SignedReport | null> {
    for (const name of await this.#names()) {
      const made = await read(join(this.#folder, name))
      if (made !== null && fits(made.report)) return made
    }
    return null
  }

  #pathOf({ report }: SignedReport): string {
    return join(this.#folder, fileNameOf(report))
  }

  /** The newest first. */
  async #names(): Promise<string[]> {
    const names = await readdir(this.#folder).catch(() => [])
    return names
      .filter(name => name.endsWith(".json"))
      .sort()
      .reverse()
  }
}

async function read(path: string): Promise<SignedReport | null> {
  try {
    return SignedReport.parse(JSON.parse(await readFile(path, "utf8")))
  } catch {
    return null
  }
}
