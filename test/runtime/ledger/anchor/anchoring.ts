import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ledgerKey } from "../../../../src/protocol/ledger-proof.ts"
import {
  type AnchoredLedger,
  anchorLedger,
  type LedgerToAnchor,
} from "../../../../src/runtime/ledger/anchor/anchor-ledger.ts"
import { Anchors } from "../../../../src/runtime/ledger/anchor/anchors.ts"
import { openChain } from "../../../../src/runtime/ledger/anchor/chain.ts"
import { type AnchorToCheck, checkAnchor } from "../../../../src/runtime/ledger/anchor/check-anchor.ts"
import { ledgerFiles } from "../../../../src/runtime/ledger/files.ts"
import { readCheckpoint } from "../../../../src/runtime/ledger/read-log.ts"
import type { Published } from "../../../ledger/publishing.ts"
import type { Wallet } from "./anvil.ts"

const COIN = 10n ** 18n
export const signal = new AbortController().signal

/** Somebody who anchors ledgers, and checks them: a wallet, and what they remember. */
export class Anchorer {
  readonly folder = mkdtempSync(join(tmpdir(), "zg-anchors-"))
  readonly anchors = new Anchors(this.folder)
  readonly #rpc: string
  readonly #wallet: Wallet

  constructor(rpc: string, wallet: Wallet) {
    this.#rpc = rpc
    this.#wallet = wallet
  }

  async anchor(published: Published, other: Partial<LedgerToAnchor> = {}): Promise<AnchoredLedger> {
    const ledger = { files: ledgerFiles(published.folder), log: ledgerKey(published.market.publicKey) }
    const chain = await openChain(this.#rpc, null, signal)
    const spending = { key: this.#wallet.key, maxCostWei: COIN, clock: () => 1_700_000_000_000 }
    return anchorLedger({ ...ledger, chain, anchors: this.anchors, ...spending, ...other }, signal)
  }

  /** Checks a transaction against a ledger as it is now. */
  async check(published: Published, transaction: string, other: Partial<AnchorToCheck> = {}) {
    const files = ledgerFiles(published.folder)
    const log = ledgerKey(published.market.publicKey)
    const head = await readCheckpoint(files, log, signal)
    const chain = await openChain(this.#rpc, null, signal)
    const anchor = { transaction: transaction as AnchorToCheck["transaction"], from: null, confirmations: 1 }
    return checkAnchor({ files, log, head, chain, ...anchor, ...other }, signal)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true })
  }
}
