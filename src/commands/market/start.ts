import { once } from "node:events"
import { Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { parseWitness } from "../../marketplace/ledger/cosign.ts"
import { startMarket } from "../../marketplace/market.ts"
import { parseCredits } from "../../protocol/credits.ts"
import { parseDigest } from "../../protocol/digest.ts"

export default class MarketStart extends BaseCommand {
  static override summary = "Run a marketplace on this machine."
  static override description =
    "It listens for agents and buyers over WebSocket and serves blobs and images on the same port. Stop it with Ctrl-C; jobs, leases and balances are kept."
  static override examples = [
    "<%= config.bin %> market start",
    "<%= config.bin %> market start --host 0.0.0.0 --port 7464 --grant 0",
    "<%= config.bin %> market start --vouch sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  ]
  static override flags = {
    host: Flags.string({ description: "address to listen on", default: "127.0.0.1", env: "ZG_MARKET_HOST" }),
    port: Flags.integer({
      char: "p",
      description: "port to listen on; 0 takes a free one",
      default: 7464,
      min: 0,
      max: 65_535,
      env: "ZG_MARKET_PORT",
    }),
    grant: Flags.string({
      description: "credits that each newly registered identity is given",
      default: "1000",
      env: "ZG_MARKET_GRANT",
    }),
    witness: Flags.string({
      description:
        "who signs that the ledger only grew: its key and its address, as `ledger witness` prints them",
      multiple: true,
      helpValue: "VKEY@URL",
    }),
    vouch: Flags.string({
      description:
        "digest of an image whose program does the same whenever it runs: agents lose bonds over audits under these images alone",
      multiple: true,
      helpValue: "DIGEST",
    }),
    explorer: Flags.boolean({
      description: "pages for people about agents, jobs and the ledger, to whoever can reach the port",
      default: true,
      allowNo: true,
    }),
  }

  async run() {
    const { flags } = await this.parse(MarketStart)
    const home = this.openHome(flags)
    const market = await startMarket({
      root: home.market,
      host: flags.host,
      port: flags.port,
      grant: parseCredits(flags.grant),
      witnesses: flags.witness?.map(parseWitness) ?? [],
      vouched: flags.vouch?.map(parseDigest) ?? [],
      explorer: flags.explorer,
      log: this.openLog(flags),
    })
    const { url, keyId, ledgerKey, explorer } = market
    // The answer comes at the start: the command itself goes on until it is stopped.
    if (this.jsonEnabled()) process.stdout.write(`${JSON.stringify({ url, keyId, ledgerKey, explorer })}\n`)
    this.log(`Marketplace listens at ${url}`)
    if (explorer !== null) this.log(`Look around in a browser: ${explorer}`)
    this.log(`Its ledger is signed with ${ledgerKey}`)
    this.log(`Next, in another terminal: ${this.config.bin} register --market ${url}`)
    await once(this.signal, "abort")
    await market.close()
  }
}
