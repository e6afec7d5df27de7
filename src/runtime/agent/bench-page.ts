import { constants } from "node:fs"
import { access, lstat } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { Fault } from "../../protocol/fault.ts"
import { writeAtomically } from "../../store/atomic-file.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import type { KeptReport } from "../bench/report/history.ts"

/** Whoever the umask lets read it may: a page is made to be shown. */
const MODE = 0o666

/**
 * Where a page can be written: a new file, or one that it replaces. Null where no page is wanted.
 * @throws Fault `bad-argument` for `-`, a folder, a device or a link, and where nothing can be written.
 */
export async function pagePath(path: string | undefined): Promise<string | null> {
  if (path === undefined) return null
  if (path === "-") throw refused(path, "would mix with the table, or with the JSON")
  const target = resolve(path)
  const there = await lstat(target).catch(() => null)
  if (there?.isDirectory()) throw refused(path, "is a folder")
  if (there !== null && !there.isFile()) throw refused(path, "is a device or a link")
  await access(dirname(target), constants.W_OK | constants.X_OK).catch(cause => {
    throw refused(path, "lies in a folder that is not there, or that this user may not write", cause)
  })
  return target
}

/** Writes a report as a page. @param target of {@link pagePath}, and given back. @throws Fault `disk-full`. */
export async function writePage(
  target: string | null,
  { previous, ...made }: KeptReport,
): Promise<string | null> {
  if (target === null) return null
  const { reportPage } = await import("../bench/page/page.ts")
  const page = await reportPage(made, previous)
  await writeAtomically(target, page, MODE).catch(error => {
    throw asDiskFull(error, dirname(target))
  })
  return target
}

function refused(path: string, why: string, cause?: unknown): Fault {
  return new Fault("bad-argument", `The page cannot be written: ${path} ${why}.`, {
    hint: "Name a file in a folder of yours, such as `--html report.html`.",
    facts: { path },
    cause,
  })
}
