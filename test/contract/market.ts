import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { type Market, startMarket } from "../../src/marketplace/market.ts"
import type { Terms } from "../../src/marketplace/options.ts"

/** Address of a marketplace that is already running; the suite then tells it nothing but what the wire says. */
export const FOREIGN = process.env.ZG_MARKET

/** An embedded marketplace in a folder of its own, which can be stopped and started again. */
export class Embedded {
  readonly root: string
  terms: Partial<Terms>
  market: Market

  private constructor(root: string, terms: Partial<Terms>, market: Market) {
    this.root = root
    this.terms = terms
    this.market = market
  }

  static async start(terms: Partial<Terms> = {}): Promise<Embedded> {
    const root = await mkdtemp(join(tmpdir(), "zg-market-"))
    return new Embedded(root, terms, await startIn(root, terms, 0))
  }

  get url(): string {
    return this.market.url
  }

  /** Stops it and starts it again on the same port and state. @param more of its terms, as its operator may change them meanwhile. */
  async restart(more: Partial<Terms> = {}): Promise<void> {
    const port = Number(new URL(this.url).port)
    this.terms = { ...this.terms, ...more }
    await this.market.close()
    this.market = await startIn(this.root, this.terms, port)
  }

  async stop(): Promise<void> {
    await this.market.close()
    await rm(this.root, { recursive: true })
  }
}

function startIn(root: string, terms: Partial<Terms>, port: number): Promise<Market> {
  const log = pino({ level: process.env.ZG_TEST_LOG ?? "silent" }, pino.destination(2))
  return startMarket({ root, host: "127.0.0.1", port, log, ...terms })
}
