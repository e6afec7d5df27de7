import { Args, Flags } from "@oclif/core"
import { ledgerKey } from "../protocol/ledger-proof.ts"
import { type NoteKey, parseVkey } from "../protocol/tlog/note.ts"
import type { Home } from "../runtime/agent/home.ts"
import { readSettings, requireSettings, type Settings } from "../runtime/agent/settings.ts"
import { type LedgerFiles, ledgerFiles } from "../runtime/ledger/files.ts"

export const whereArg = Args.string({
  description:
    "a marketplace, a ledger's address, or a folder with a copy; this home's marketplace when not given",
})

export const keyFlag = Flags.string({
  description: "the ledger's key; that of this home's marketplace when not given",
  helpValue: "VKEY",
})

export interface ChosenLedger {
  files: LedgerFiles
  log: NoteKey
  /** The marketplace of this home, where the key is its. */
  market: Settings["market"] | null
}

/** @throws Fault `not-registered` without a marketplace to stand in for what was not given; `bad-argument`. */
export function chooseLedger(home: Home, where: string | undefined, vkey: string | undefined): ChosenLedger {
  // Without a key there is nothing to check by, and without an address nothing to read.
  const market = readSettings(home)?.market ?? (vkey && where ? null : requireSettings(home).market)
  const pinned = market && ledgerKey(market.publicKey)
  const log = vkey === undefined ? (pinned as NoteKey) : parseVkey(vkey)
  const files = ledgerFiles(where ?? (market as { url: string }).url)
  return { files, log, market: log.key === pinned?.key ? market : null }
}
