import { formatCredits } from "../protocol/credits.ts"
import type { CheckedLedger } from "../runtime/ledger/check-ledger.ts"
import { counted } from "./counted.ts"

/** What a whole ledger comes to, for people. */
export function ledgerReport(where: string, checked: CheckedLedger): string {
  const { origin, size, root, statements, postings, witnesses, receipts } = checked
  const { issued, accounts, bonds } = sumsOf(checked)
  const keptBack = bonds > 0 ? `, ${formatCredits(bonds)} of them as bonds` : ""
  return [
    `✔ ${where} is whole: ${size} entries hash to the root that ${origin} signed.`,
    `  root      ${Buffer.from(root).toString("base64")}`,
    `  records   ${counted(statements, "signed statement")}, ${counted(postings, "posting")}`,
    `  books     ${formatCredits(issued)} credits issued, held by ${counted(accounts, "account")}${keptBack}; none overdrawn, nothing paid twice`,
    `  witnesses ${witnesses.length === 0 ? "none asked after" : witnesses.join(", ")}`,
    `  receipts  ${receipts === 0 ? "this home has none of it" : `${counted(receipts, "receipt")} of this home, each one there`}`,
  ].join("\n")
}

function sumsOf({ balances }: CheckedLedger): { issued: number; accounts: number; bonds: number } {
  const accounts = [...balances].filter(([account, balance]) => account !== "issuer" && balance > 0).length
  const bonds = [...balances].filter(([account]) => account.startsWith("bond:"))
  return {
    issued: 0 - (balances.get("issuer") ?? 0),
    accounts,
    bonds: bonds.reduce((sum, [, balance]) => sum + balance, 0),
  }
}
