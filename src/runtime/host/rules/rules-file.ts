import { constants, open } from "node:fs/promises"
import { isFault } from "../../../protocol/fault.ts"
import { DEFAULT_RULES, type Rules } from "./rules.ts"
import { unreadable } from "./unreadable.ts"

/** Far more than anyone writes; a larger file is another one. */
const FILE_LIMIT_BYTES = 1 << 20

/**
 * The owner's rules, or the defaults where there is no file. Rules that cannot be read are never taken for none.
 * @throws Fault `rules-unreadable` naming file, line and field.
 */
export async function readRules(path: string): Promise<Rules> {
  const text = await readOwn(path)
  if (text === null) return DEFAULT_RULES
  // Most agents have no such file, and the parser takes 12 MB for as long as they run.
  const { parseRules } = await import("./parse-rules.ts")
  return parseRules(text, path)
}

/** Null where there is none. Whoever can change the rules can loosen them, so that not everybody may be able to. */
async function readOwn(path: string): Promise<string | null> {
  try {
    await using file = await open(path, constants.O_RDONLY)
    const stats = await file.stat()
    if (!stats.isFile()) throw unreadable(path, null, "it is no file")
    if (stats.size > FILE_LIMIT_BYTES) throw unreadable(path, null, "it is larger than 1 MiB")
    if (stats.mode & constants.S_IWOTH)
      throw unreadable(path, null, "everybody on this machine can change it")
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile())
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null
    if (isFault(cause)) throw cause
    throw unreadable(path, null, (cause as Error).message, cause)
  }
}
