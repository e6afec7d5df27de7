import { once } from "node:events"
import { Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { ledgerKey } from "../../protocol/ledger-proof.ts"
import { parseVkey } from "../../protocol/tlog/note.ts"
import { requireSettings } from "../../runtime/agent/settings.ts"
import { serveWitness } from "../../runtime/ledger/serve-witness.ts"
import { ensureIdentity } from "../../store/identity.ts"

export default class LedgerWitness extends BaseCommand {
  static override summary = "Sign that a ledger only grows, and refuse what was rewritten."
  static override description =
    "It answers `POST /add-checkpoint` as C2SP tlog-witness says, and signs with this home's identity. A marketplace asks it when it is started with --witness; whoever trusts this key knows of each signed checkpoint that nobody was told another story."
  static override examples = [
    "<%= config.bin %> ledger witness",
    "<%= config.bin %> ledger witness --log zg-agent.dev/ledger/0123456789abcdef+a1b2c3d4+AT…",
  ]
  static override flags = {
    log: Flags.string({
      description: "key of a ledger to watch; the one of this home's marketplace when not given",
      multiple: true,
      helpValue: "VKEY",
    }),
    host: Flags.string({
      description: "address to listen on",
      default: "127.0.0.1",
      env: "ZG_WITNESS_HOST",
    }),
    port: Flags.integer({
      char: "p",
      description: "port to listen on; 0 takes a free one",
      default: 7465,
      min: 0,
      max: 65_535,
      env: "ZG_WITNESS_PORT",
    }),
  }

  async run() {
    const { flags } = await this.parse(LedgerWitness)
    const home = this.openHome(flags)
    const logs = flags.log?.map(parseVkey) ?? [ledgerKey(requireSettings(home).market.publicKey)]
    const witness = await serveWitness({
      ...{ host: flags.host, port: flags.port, logs, folder: home.witness },
      ...{ signer: await ensureIdentity(home.identity), clock: Date.now, logger: this.openLog(flags) },
    })
    const { url, vkey } = witness
    // The answer comes at the start: the command itself goes on until it is stopped.
    if (this.jsonEnabled()) process.stdout.write(`${JSON.stringify({ url, vkey })}\n`)
    this.log(`Witness listens at ${url} and signs as\n  ${vkey}`)
    this.log(`A marketplace asks it with: ${this.config.bin} market start --witness '${vkey}@${url}'`)
    await once(this.signal, "abort")
    await witness.close()
  }
}
