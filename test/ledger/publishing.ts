import { mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import type { Witness } from "../../src/marketplace/ledger/cosign.ts"
import type { Ledger } from "../../src/marketplace/ledger/ledger.ts"
import { grant } from "../../src/marketplace/ledger/posting.ts"
import { Publisher } from "../../src/marketplace/ledger/publisher.ts"
import { MicroCredits } from "../../src/protocol/credits.ts"
import type { KeyId, Signer } from "../../src/protocol/keys.ts"
import { newIdentity } from "../contract/client.ts"
import { openLedger } from "./recorded.ts"

const SOMEBODY = "5".repeat(64) as KeyId

/** A marketplace's ledger, published in a folder of its own. */
export class Published {
  readonly folder = mkdtempSync(join(tmpdir(), "zg-ledger-"))
  readonly market: Signer
  readonly ledger: Ledger = openLedger()
  #publisher: Publisher | null = null
  readonly #witnesses: readonly Witness[]

  /** @param market another story of the same marketplace, where it is given. */
  constructor(market: Signer = newIdentity(), witnesses: readonly Witness[] = []) {
    this.market = market
    this.#witnesses = witnesses
  }

  /** Grants so many times to somebody, and publishes. @param credits makes one story differ from another. */
  async grow(entries: number, credits = 1): Promise<string> {
    for (let count = 0; count < entries; count++)
      this.ledger.append(grant(SOMEBODY, MicroCredits.parse(credits)))
    return this.publish()
  }

  /** @returns the signed checkpoint. */
  async publish(): Promise<string> {
    this.#publisher ??= await Publisher.open(this.parts)
    return (await this.#publisher.covering(this.ledger.log.size)).checkpoint
  }

  get parts() {
    return {
      ...{ log: this.ledger.log, folder: this.folder, identity: this.market, witnesses: this.#witnesses },
      ...{ clock: () => 1_700_000_000_000, logger: pino({ level: "silent" }), onPublished: () => {} },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
