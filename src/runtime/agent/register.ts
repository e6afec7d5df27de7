import { isWhole } from "../../protocol/capacity-report.ts"
import { Fault } from "../../protocol/fault.ts"
import { keyIdOf } from "../../protocol/keys.ts"
import type { Machine } from "../../protocol/message.ts"
import { ensureIdentity } from "../../store/identity.ts"
import { History } from "../bench/report/history.ts"
import { lookAtMachine } from "../host/machine.ts"
import { openSession } from "../market/session.ts"
import { tellReport } from "./bench.ts"
import type { Home } from "./home.ts"
import { readSettings, writeSettings } from "./settings.ts"

export interface Registration {
  agent: string
  name: string
  market: { url: string; keyId: string }
  /** Micro-credits on the account. */
  balance: number
  /** Whether the marketplace knew this identity already. */
  again: boolean
  machine: Machine
  /** When the capacity report was made that the marketplace got; null where there is none yet. */
  measuredOn: string | null
}

export interface RegisterOptions {
  home: Home
  url: string
  name: string
  trustNewKey: boolean
  /** Where sysfs is mounted. */
  sysfs: string
  agent: string
}

/**
 * Enrols this home's identity at a marketplace and remembers its address and key.
 * A marketplace that moved to another address is known by its key.
 * @throws Fault `registered-elsewhere` when the home belongs to another marketplace; else as `openSession`.
 */
export async function register(options: RegisterOptions, signal: AbortSignal): Promise<Registration> {
  const { home, name } = options
  const url = parseAddress(options.url)
  const earlier = readSettings(home)
  const signer = await ensureIdentity(home.identity)
  const machine = await lookAtMachine(options.sysfs, signal)
  const sameAddress = earlier?.market.url === url
  const pinned = sameAddress && !options.trustNewKey ? earlier.market.publicKey : null
  const { wire, market } = await openSession({ url, signer, agent: options.agent, pinned }, signal)
  try {
    const moved = earlier === null || earlier.market.publicKey === market.publicKey
    if (!moved && !options.trustNewKey) throw elsewhere(home, earlier.market.url)
    const { agent, balance, again } = await wire.request(
      { type: "register", name, machine },
      "registered",
      signal,
    )
    writeSettings(home, { market: { url, publicKey: market.publicKey }, name })
    const measured = await new History(home.reports).newest(isWhole)
    if (measured !== null) await tellReport(wire, measured, signal)
    return {
      agent,
      name,
      market: { url, keyId: keyIdOf(market.publicKey) },
      balance,
      again,
      machine,
      measuredOn: measured?.report.startedOn ?? null,
    }
  } finally {
    await wire.close()
  }
}

/** @throws Fault `bad-argument` for anything but a ws:// or wss:// address. */
function parseAddress(text: string): string {
  const url = URL.parse(text)
  if (url && (url.protocol === "ws:" || url.protocol === "wss:")) return url.href.replace(/\/$/, "")
  throw new Fault("bad-argument", `${JSON.stringify(text)} is not a marketplace's address.`, {
    hint: "It starts with ws:// or wss://, such as ws://127.0.0.1:7464.",
  })
}

function elsewhere(home: Home, url: string): Fault {
  return new Fault("registered-elsewhere", `This home is registered at ${url} already.`, {
    hint: "Use another ZG_HOME for another marketplace, or add --trust-new-key to leave the old one.",
    facts: { home: home.root, market: url },
  })
}
