import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { privateKeyToAddress } from "viem/accounts"
import type { Hex } from "../../../../src/runtime/ledger/anchor/chain.ts"
import type { WalletKey } from "../../../../src/runtime/ledger/anchor/wallet.ts"

const START_LIMIT_MS = 20_000
const ARCHITECTURES: Record<string, string> = { x64: "amd64" }
/** The package's own starter is a process between, which would outlive a signal or leave its child. */
const BINARY = join(
  import.meta.dirname,
  "../../../../node_modules/@foundry-rs",
  `anvil-${process.platform}-${ARCHITECTURES[process.arch] ?? process.arch}/bin/anvil`,
)

/** Why there is no chain to test on; null where there is one. In CI there must be. */
export const whyNoAnvil = spawnSync(BINARY, ["--version"]).status === 0 || process.env.CI ? null : missing()

function missing(): string {
  const why = `anvil does not run on ${process.platform} ${process.arch}`
  process.stderr.write(`skipped: what needs an EVM chain: ${why}\n`)
  return why
}

/** A wallet of its own, with coins of the chain. */
export interface Wallet {
  key: WalletKey
  address: Hex
}

/** A real EVM node, on a port of its own on this machine. */
export class Anvil {
  readonly url: string
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, url: string) {
    this.#process = process
    this.url = url
  }

  static async start(...args: string[]): Promise<Anvil> {
    const running = spawn(BINARY, ["--host", "127.0.0.1", "--port", "0", ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    const late = setTimeout(() => running.kill("SIGKILL"), START_LIMIT_MS)
    try {
      for await (const line of createInterface({ input: running.stdout })) {
        const [, address] = line.match(/^Listening on (\S+)/) ?? []
        if (address !== undefined) return new Anvil(running, `http://${address}`)
      }
      throw new Error("anvil ended before it listened")
    } finally {
      clearTimeout(late)
      running.stdout.resume()
    }
  }

  async rpc<T = unknown>(method: string, ...params: unknown[]): Promise<T> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
    const headers = { "content-type": "application/json" }
    const answer = await fetch(this.url, { method: "POST", headers, body })
    const { result, error } = (await answer.json()) as { result: T; error?: { message: string } }
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }

  mine(blocks: number): Promise<unknown> {
    return this.rpc("anvil_mine", `0x${blocks.toString(16)}`)
  }

  async wallet(coins = 1): Promise<Wallet> {
    const key: WalletKey = `0x${randomBytes(32).toString("hex")}`
    const address = privateKeyToAddress(key)
    await this.rpc("anvil_setBalance", address, `0x${(BigInt(coins) * 10n ** 18n).toString(16)}`)
    return { key, address }
  }

  /** A transaction of one of the node's own accounts, which has no need to be sound. */
  async send(data: Uint8Array, to?: string): Promise<Hex> {
    const [from = ""] = await this.rpc<string[]>("eth_accounts")
    const transaction = {
      from,
      to: to ?? from,
      data: `0x${Buffer.from(data).toString("hex")}`,
      gas: "0x30000",
    }
    return this.rpc("eth_sendTransaction", transaction)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit")
    this.#process.kill("SIGKILL")
    await ended
  }
}
