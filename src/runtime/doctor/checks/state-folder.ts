import { stat } from "node:fs/promises"
import type { Home } from "../../agent/home.ts"
import { type Finding, failed, ok, together, warning } from "../check.ts"
import { quoted } from "../fix.ts"
import type { Inspection } from "../inspection.ts"

export interface Owned {
  path: string
  /** Permission bits. */
  mode: number
  uid: number
}

export const stateFolder: Inspection = {
  id: "state-folder",
  title: "State folder",
  async look(site) {
    const home = await site.home()
    const uid = process.getuid?.() ?? null
    return judgeStateFolder(await owned(home.root), await owned(home.identity).catch(() => null), uid)
  },
}

async function owned(path: Home["root"]): Promise<Owned> {
  const { mode, uid } = await stat(path)
  return { path, mode: mode & 0o777, uid }
}

/** @param identity null before registration. @param uid null where the system has no such numbers. */
export function judgeStateFolder(folder: Owned, identity: Owned | null, uid: number | null): Finding {
  const troubles = [ownership(folder, uid), openFolder(folder), identity && openIdentity(identity)]
  const findings = troubles.filter(finding => finding !== null)
  return findings.length === 0 ? ok(`${folder.path}, for its owner alone`) : together(findings)
}

function ownership({ path, uid }: Owned, caller: number | null): Finding | null {
  if (caller === null || uid === caller) return null
  return warning(`${path} belongs to user ${uid}, not to you (${caller}).`, {
    remedy: "Run the agent as the folder's owner, or take the folder over.",
    command: `sudo chown -R "$(id -u)" ${quoted(path)}`,
  })
}

function openFolder({ path, mode }: Owned): Finding | null {
  if ((mode & 0o077) === 0) return null
  return warning(`Others on this machine can look into ${path} (mode ${mode.toString(8)}).`, {
    remedy: "Shards' inputs and results lie there: close it to others.",
    command: `chmod 700 ${quoted(path)}`,
    fixes: [{ kind: "run", argv: ["chmod", "700", path] }],
  })
}

function openIdentity({ path, mode }: Owned): Finding | null {
  if ((mode & 0o077) === 0) return null
  return failed(`Others on this machine can read the identity ${path} (mode ${mode.toString(8)}).`, {
    remedy:
      "The agent does not start with such a key: close it, and if a stranger can have read it, make a new one.",
    command: `chmod 600 ${quoted(path)}`,
    fixes: [{ kind: "run", argv: ["chmod", "600", path] }],
  })
}
