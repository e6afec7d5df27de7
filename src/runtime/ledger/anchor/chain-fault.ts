import type { BaseError } from "viem"
import { Fault } from "../../../protocol/fault.ts"

const REASON_LIMIT = 200

/** An RPC that does not answer as one. What viem says beside `details` tells the whole address, which may hold an access token. */
export function unreachable(where: string, error: BaseError): Fault {
  const deepest = error.walk()
  const { code } = (deepest.cause ?? deepest) as NodeJS.ErrnoException
  const why = code === undefined ? error.details : `${error.details} (${code})`
  return new Fault("chain-unreachable", `The chain at ${where} cannot be asked: ${sentence(why)}`, {
    hint: "Check --rpc, and that the node runs; another node of the same chain does as well.",
    facts: { where },
    cause: error,
  })
}

/** A node that answers, and says no. @param reason in its own words. */
export function refused(where: string, reason: string, cause: unknown): Fault {
  if (/insufficient funds/i.test(reason)) {
    return new Fault("funds-short", `${where} finds too little in the account: ${sentence(reason)}`, {
      hint: "Send the account some of the chain's own coin, then try again.",
      facts: { where },
      cause,
    })
  }
  return new Fault("chain-refused", `${where} refuses: ${sentence(reason)}`, {
    hint: "An earlier transaction of the account may still wait, or the node does not take transactions: look at the account in an explorer.",
    facts: { where },
    cause,
  })
}

/** A stranger's words: one line, and nothing that a terminal would obey. */
function sentence(details: string): string {
  const [first = ""] = details.trim().split("\n")
  const line = first.replace(/\p{Cc}/gu, "").slice(0, REASON_LIMIT) || "no reason was told"
  return line.endsWith(".") ? line : `${line}.`
}
