import type { PrivateKeyAccount, PublicClient } from "viem"
import { Fault, isFault } from "../../../protocol/fault.ts"
import { refused, unreachable } from "./chain-fault.ts"
import type { WalletKey } from "./wallet.ts"

export type Hex = `0x${string}`

/** A transaction as a chain tells it. */
export interface ChainTransaction {
  from: Hex
  data: Uint8Array
  /** Null while it waits. */
  block: { number: number; at: Date; confirmations: number; isSuccess: boolean } | null
}

/** A transaction that is ready to be sent. */
export interface SignedTransaction {
  hash: Hex
  from: Hex
  nonce: number
  bytes: Hex
}

/** An EVM chain behind somebody's JSON-RPC. Every call throws Fault `chain-unreachable`, `chain-refused`, or the signal's reason. */
export interface Chain {
  id: number
  /** Whose answers these are; without path and query, which may hold an access token. */
  where: string
  /** @returns null for a hash that the chain does not know. */
  transaction(hash: Hex): Promise<ChainTransaction | null>
  /** How many transactions of the account are in blocks. */
  nonceOf(address: Hex): Promise<number>
  /** A transaction to the sender itself. @throws Fault `funds-short`, `fee-too-high`, `wallet-unreadable`. */
  sign(key: WalletKey, data: Uint8Array, maxCostWei: bigint): Promise<SignedTransaction>
  send(transaction: SignedTransaction): Promise<void>
}

const ANSWER_LIMIT_MS = 20_000

/**
 * Opens a chain. viem is large: this module alone imports it, and only now.
 * @param expected the chain that is meant, null for whichever it is.
 * @throws Fault `bad-argument`, `chain-unreachable`, `chain-mismatch`.
 */
export async function openChain(rpc: string, expected: number | null, signal: AbortSignal): Promise<Chain> {
  const where = hostOf(rpc)
  const viem = await import("viem")
  const fetchFn: typeof fetch = (input, init) =>
    fetch(input, { ...init, signal: AbortSignal.any([signal, ...(init?.signal ? [init.signal] : [])]) })
  const client = viem.createPublicClient({
    transport: viem.http(rpc, { timeout: ANSWER_LIMIT_MS, retryCount: 2, fetchFn }),
  })
  const ask = <T>(question: () => Promise<T>) => asked(question, where, signal)
  const id = await ask(() => client.getChainId())
  if (!Number.isSafeInteger(id)) throw refused(where, "it tells no number of a chain", null)
  if (expected !== null && id !== expected) throw otherChain(where, id, expected)
  return {
    id,
    where,
    transaction: hash => ask(() => transactionOf(client, hash)),
    nonceOf: address => ask(() => client.getTransactionCount({ address, blockTag: "latest" })),
    sign: async (key, data, maxCostWei) => {
      const account = await accountOf(key)
      return ask(() => signed(client, id, account, viem.bytesToHex(data), maxCostWei))
    },
    send: ({ bytes }) =>
      ask(async () => {
        await client.sendRawTransaction({ serializedTransaction: bytes })
      }),
  }
}

/** One question, with what goes wrong in our words: a stranger's answers may be anything. */
async function asked<T>(question: () => Promise<T>, where: string, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { BaseError, HttpRequestError, TimeoutError } = await import("viem")
  try {
    return await question()
  } catch (error) {
    signal.throwIfAborted()
    if (isFault(error)) throw error
    if (!(error instanceof BaseError)) throw refused(where, "its answer makes no sense", error)
    const silent = error.walk(one => one instanceof HttpRequestError || one instanceof TimeoutError)
    throw silent ? unreachable(where, error) : refused(where, error.details || error.shortMessage, error)
  }
}

async function transactionOf(client: PublicClient, hash: Hex): Promise<ChainTransaction | null> {
  const { getAddress, hexToBytes, TransactionNotFoundError, TransactionReceiptNotFoundError } = await import(
    "viem"
  )
  const absent = (error: unknown) => {
    const isAbsent =
      error instanceof TransactionNotFoundError || error instanceof TransactionReceiptNotFoundError
    if (isAbsent) return null
    throw error
  }
  const found = await client.getTransaction({ hash }).catch(absent)
  if (found === null) return null
  const told = { from: getAddress(found.from), data: hexToBytes(found.input) }
  const receipt = await client.getTransactionReceipt({ hash }).catch(absent)
  if (receipt === null) return { ...told, block: null }
  const [block, latest] = await Promise.all([
    client.getBlock({ blockNumber: receipt.blockNumber }),
    client.getBlockNumber({ cacheTime: 0 }),
  ])
  return {
    ...told,
    block: {
      number: Number(receipt.blockNumber),
      at: new Date(Number(block.timestamp) * 1000),
      confirmations: Number(latest - receipt.blockNumber) + 1,
      isSuccess: receipt.status === "success",
    },
  }
}

async function accountOf(key: WalletKey): Promise<PrivateKeyAccount> {
  const { privateKeyToAccount } = await import("viem/accounts")
  try {
    return privateKeyToAccount(key)
  } catch {
    // Without its cause, which may tell the key.
    throw new Fault("wallet-unreadable", "The number in the key file is no private key.", {
      hint: "Check that the file holds the key that you mean.",
    })
  }
}

/** Gas, fees and place are the node's to tell; receiver, value, data and chain are not. */
async function signed(
  client: PublicClient,
  chainId: number,
  account: PrivateKeyAccount,
  data: Hex,
  maxCostWei: bigint,
): Promise<SignedTransaction> {
  const { formatEther, keccak256 } = await import("viem")
  const { address } = account
  const [gas, nonce, fees, balance] = await Promise.all([
    client.estimateGas({ account: address, to: address, data }),
    client.getTransactionCount({ address, blockTag: "pending" }),
    feesOf(client),
    client.getBalance({ address }),
  ])
  const cost = gas * (fees.type === "legacy" ? fees.gasPrice : fees.maxFeePerGas)
  if (cost > maxCostWei) throw tooDear(formatEther(cost), formatEther(maxCostWei))
  if (balance < cost) throw short(address, formatEther(cost), formatEther(balance))
  const bytes = await account.signTransaction({ chainId, nonce, to: address, value: 0n, data, gas, ...fees })
  return { hash: keccak256(bytes), from: address, nonce, bytes }
}

/** A chain whose blocks have no base fee is one from before EIP-1559. */
async function feesOf(client: PublicClient) {
  const { baseFeePerGas } = await client.getBlock()
  if (typeof baseFeePerGas === "bigint")
    return { type: "eip1559" as const, ...(await client.estimateFeesPerGas()) }
  return { type: "legacy" as const, ...(await client.estimateFeesPerGas({ chain: null, type: "legacy" })) }
}

function hostOf(rpc: string): string {
  const url = URL.parse(rpc)
  if (url !== null && /^https?:$/.test(url.protocol)) return url.host
  throw new Fault("bad-argument", "--rpc is no address of a chain's JSON-RPC.", {
    hint: "It looks like http://127.0.0.1:8545 or https://…; with an access token in it, ZG_RPC keeps it out of the list of processes.",
  })
}

function otherChain(where: string, id: number, expected: number): Fault {
  return new Fault("chain-mismatch", `${where} is chain ${id}, not ${expected}.`, {
    hint: "Name the RPC of the chain that is meant, or the other chain with --chain.",
    facts: { chain: id, expected },
  })
}

function short(address: string, cost: string, balance: string): Fault {
  return new Fault("funds-short", `${address} has ${balance}, and the transaction may cost ${cost}.`, {
    hint: "Send the account some of the chain's own coin, then try again.",
    facts: { address, cost, balance },
  })
}

function tooDear(cost: string, limit: string): Fault {
  return new Fault("fee-too-high", `The transaction may cost ${cost}, more than ${limit}.`, {
    hint: "Wait until the chain is cheaper, or allow more with --max-cost.",
    facts: { cost, limit },
  })
}
