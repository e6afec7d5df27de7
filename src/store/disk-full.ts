import { Fault } from "../protocol/fault.ts"

const ERRNO_CODES = ["ENOSPC", "EDQUOT"]
/** SQLITE_FULL (sqlite.org/rescode.html). */
const SQLITE_FULL = 13

/** The fault that a full disk is, whichever way it shows; any other error as it is. */
export function asDiskFull(error: unknown, root: string): unknown {
  const { code = "", errcode } = (error ?? {}) as { code?: string; errcode?: number }
  if (!ERRNO_CODES.includes(code) && errcode !== SQLITE_FULL) return error
  return new Fault("disk-full", `The disk under ${root} is full.`, {
    hint: "Free some space, or move the state with ZG_HOME; what arrived so far is kept.",
    facts: { root },
    cause: error,
  })
}
