import { formatCredits } from "../protocol/credits.ts"
import type { MarketFrameOf } from "../protocol/message.ts"

/** An account in micro-credits, without what the message is wrapped in. */
export type Account = Omit<MarketFrameOf<"account">, "type" | "seq" | "re" | "ack">

export function accountOf({ balance, granted, own, bond, earned, spent, escrow }: Account): Account {
  return { balance, granted, own, bond, earned, spent, escrow }
}

/** What an identity has at its marketplace, for people. */
export function accountReport({ balance, granted, own, bond, earned, spent, escrow }: Account): string {
  return [
    `${formatCredits(balance)} credits`,
    `  granted   ${formatCredits(granted)}`,
    `  earned    ${formatCredits(own)} of ${formatCredits(earned)} in all`,
    `  bond      ${formatCredits(bond)} kept back of what was earned; lost with a failed audit`,
    `  set aside ${formatCredits(escrow)} for jobs that are not over`,
    `  spent     ${formatCredits(spent)}`,
  ].join("\n")
}
