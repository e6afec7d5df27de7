import { Fault } from "../../protocol/fault.ts"
import type { MarketFrameOf } from "../../protocol/message.ts"
import type { Closed } from "./connection.ts"

export function refusal({ code, message, hint }: MarketFrameOf<"refused">): Fault {
  return new Fault(code, message, { hint })
}

/** Why a session is over whose socket ended so. */
export function lost(url: string, { code, reason }: Closed): Fault {
  return new Fault("market-lost", `The connection to ${url} ended${reason ? `: ${reason}` : ""}.`, {
    hint: "It is dialled again by itself while serving; otherwise run the command again.",
    facts: { closeCode: code },
  })
}

export function silent(url: string, type: string): Fault {
  return new Fault("market-silent", `The marketplace at ${url} did not answer a ${type} message in time.`, {
    hint: "Try again; if it stays silent, ask its operator.",
  })
}

export function outOfPlace(expected: string, got: string): Fault {
  return new Fault(
    "message-malformed",
    `A ${got} message came in answer where a ${expected} message was due.`,
    {
      hint: "Use the same version of zg-agent on both ends.",
    },
  )
}
