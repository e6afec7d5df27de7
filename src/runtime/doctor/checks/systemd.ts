import { access } from "node:fs/promises"
import os from "node:os"
import { type Finding, ok, skipped, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

const UNIT = "zg-agent.service"

export interface Supervision {
  /** Name of process 1. */
  init: string | null
  /** The unit's file; null where there is none. */
  systemUnit: string | null
  userUnit: string | null
  /** Whether this user's units run while they are not logged in. */
  lingers: boolean
  user: string
}

export const systemd: Inspection = {
  id: "systemd",
  title: "systemd",
  async look(site) {
    const firstOf = async (places: string[]) => {
      for (const place of places) if (await isThere(place)) return place
      return null
    }
    const user = site.caller.name
    return judgeSupervision({
      init: (await site.text("proc/1/comm"))?.trim() ?? null,
      systemUnit: await firstOf(
        ["etc", "usr/lib", "lib"].map(at => site.path(`${at}/systemd/system/${UNIT}`)),
      ),
      userUnit: await firstOf([`${os.homedir()}/.config/systemd/user/${UNIT}`]),
      lingers: await isThere(site.path(`var/lib/systemd/linger/${user}`)),
      user,
    })
  },
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Only a user's unit that ends with its user's log-in is a trouble. */
export function judgeSupervision({ init, systemUnit, userUnit, lingers, user }: Supervision): Finding {
  if (init !== "systemd") {
    return skipped(
      `not here (process 1 is ${init ?? "not to be seen"}): nothing starts the agent after a reboot`,
    )
  }
  if (systemUnit !== null) return ok(`the agent has a unit of the system's: ${systemUnit}`)
  if (userUnit === null) return ok("runs this machine; it has no unit for the agent yet")
  if (lingers) return ok(`the agent has a unit of ${user}'s, which also runs while nobody is logged in`)
  return warning(`The agent's unit ends when ${user} logs out.`, {
    remedy: "Let this user's units run while nobody is logged in.",
    command: `sudo loginctl enable-linger ${user}`,
  })
}
