import { basename, dirname } from "node:path"
import Conf from "conf"
import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import { firstIssue } from "../../protocol/frame.ts"
import { PublicKey } from "../../protocol/keys.ts"
import type { Home } from "./home.ts"

/** What registration wrote down. */
export const Settings = z.strictObject({
  market: z.strictObject({ url: z.url({ protocol: /^wss?$/ }), publicKey: PublicKey }),
  name: z.string().min(1).max(80),
})
export type Settings = z.infer<typeof Settings>

/** The settings, or null before registration. @throws Fault `home-unusable` when the file is damaged. */
export function readSettings(home: Home): Settings | null {
  const parsed = Settings.safeParse(openConf(home).store)
  if (parsed.success) return parsed.data
  if (Object.keys(openConf(home).store).length === 0) return null
  throw damaged(home, firstIssue(parsed.error))
}

/** @throws Fault `not-registered` before registration. */
export function requireSettings(home: Home): Settings {
  const settings = readSettings(home)
  if (settings) return settings
  throw new Fault("not-registered", "This agent is not registered at a marketplace.", {
    hint: "Run `zg-agent register --market ws://…` first.",
    facts: { home: home.root },
  })
}

export function writeSettings(home: Home, settings: Settings): void {
  openConf(home).store = settings
}

function openConf(home: Home): Conf<Partial<Settings>> {
  try {
    return new Conf<Partial<Settings>>({
      cwd: dirname(home.settings),
      configName: basename(home.settings, ".json"),
      configFileMode: 0o600,
    })
  } catch (cause) {
    throw damaged(home, (cause as Error).message, cause)
  }
}

function damaged(home: Home, why: string, cause?: unknown): Fault {
  return new Fault("home-unusable", `The settings in ${home.settings} are damaged: ${why}.`, {
    hint: "Move the file away and run `zg-agent register` again; the identity is kept.",
    cause,
  })
}
