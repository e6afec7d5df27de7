import { expect, test } from "vitest"
import { ledgerReport } from "../../src/cli/ledger-report.ts"
import { KeyId } from "../../src/protocol/keys.ts"
import type { Account } from "../../src/protocol/ledger-entry.ts"

const AGENT = KeyId.parse("a".repeat(64))

function report(balances: [Account, number][]): string {
  const head = { origin: "zg-agent.dev/ledger/0", size: 3, root: new Uint8Array(32) }
  const rest = { statements: 1, postings: 2, witnesses: [], receipts: 0 }
  return ledgerReport("here", { ...head, ...rest, balances: new Map(balances) })
}

test("a ledger's report tells what of its credits are bonds", () => {
  const grant: [Account, number] = ["issuer", -3_000_000]
  expect(report([grant, [`identity:${AGENT}`, 2_750_000], [`bond:${AGENT}`, 250_000]])).toContain(
    "3.00 credits issued, held by 2 accounts, 0.25 of them as bonds; none overdrawn",
  )
  expect(report([grant, [`identity:${AGENT}`, 3_000_000]])).toContain("held by 1 account; none overdrawn")
})
