import { chargedBy, type Posting, unsoundness } from "../../protocol/books.ts"
import type { Digest } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { type Account, type LedgerEntry, parseEntry, statementOf } from "../../protocol/ledger-entry.ts"
import { amountOf, chargeIn } from "../../protocol/price.ts"
import type { SignedCheckpoint } from "../../protocol/tlog/checkpoint.ts"
import { areEqual, type Hash, leafHash } from "../../protocol/tlog/hash.ts"
import { entriesIn, TILE_WIDTH } from "../../protocol/tlog/tile.ts"
import type { LedgerFiles } from "./files.ts"
import { readTile } from "./read-log.ts"
import { Rows } from "./rows.ts"

/** What a whole ledger comes to. */
export interface Verified {
  size: number
  /** Signed statements that are recorded: proofs and verdicts. */
  statements: number
  postings: number
  /** In micro-credits; below zero only for the issuer. */
  balances: ReadonlyMap<Account, number>
  leafAt: (index: number) => Hash | undefined
}

export interface VerifyWatch {
  signal: AbortSignal
  /** Entries so far. */
  onProgress?: (done: number, of: number) => void
}

/**
 * Reads all of a ledger and checks that it hashes to what was signed, that its tiles say the same, that every entry is one, that credits
 * are moved and never made (but by the issuer's grants), and that no lease was paid twice nor a proof that is not recorded.
 * @param wanted leaves to keep, by their index.
 * @throws Fault `ledger-mismatch` naming the entry, `ledger-malformed`, or as {@link LedgerFiles.read}.
 */
export async function verifyLog(
  files: LedgerFiles,
  { size, root }: Pick<SignedCheckpoint, "size" | "root">,
  { signal, onProgress = () => {} }: VerifyWatch,
  wanted: ReadonlySet<number> = new Set(),
): Promise<Verified> {
  const rows = new Rows(files, size, signal)
  const books = new Books()
  const kept = new Map<number, Hash>()
  for (let start = 0; start < size; start += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - start)
    const bundle = await readTile(files, { level: "entries", index: start / TILE_WIDTH, width }, signal)
    for (const [at, bytes] of bundled(bundle, start, width).entries()) {
      const [index, leaf] = [start + at, leafHash(bytes)]
      books.take(parseEntry(bytes) ?? broken(index, "is none that this version of zg-agent knows"), index)
      if (wanted.has(index)) kept.set(index, leaf)
      await rows.add(leaf)
    }
    onProgress(start + width, size)
  }
  await rows.finish()
  if (!areEqual(rows.root, root)) throw notSigned(size)
  const { statements, postings, balances } = books
  return { size, statements: statements.size, postings, balances, leafAt: index => kept.get(index) }
}

function bundled(bundle: Uint8Array, start: number, width: number): Uint8Array[] {
  try {
    const entries = entriesIn(bundle)
    if (entries.length >= width) return entries.slice(0, width)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return broken(start, "stands in a bundle that is cut short")
}

/** The books as the ledger's postings make them. */
class Books {
  readonly statements = new Set<Digest>()
  readonly balances = new Map<Account, number>()
  readonly #paidLeases = new Set<string>()
  postings = 0

  /** @throws Fault `ledger-mismatch`. */
  take(entry: LedgerEntry, index: number): void {
    if (entry.kind === "dsse") this.statements.add(statementOf(entry))
    else this.#post(entry.spec, index)
  }

  #post(posting: Posting, index: number): void {
    const wrong = unsoundness(posting, account => this.balances.get(account) ?? 0)
    if (wrong !== null) broken(index, `makes the books unsound: ${wrong}`)
    if (posting.kind === "settlement") this.#settle(posting, index)
    this.postings++
    for (const { account, amount } of posting.legs)
      this.balances.set(account, (this.balances.get(account) ?? 0) + amount)
  }

  #settle({ about, legs }: Posting, index: number): void {
    const { proof, lease } = about
    const charge = chargeIn(about)
    if (charge === undefined) broken(index, "names a charge that is none")
    if (charge !== null && chargedBy(legs) !== amountOf(charge)) broken(index, "pays other than it charges")
    if (!this.statements.has(proof as Digest)) broken(index, `pays a proof that is not recorded before it`)
    if (lease === undefined || this.#paidLeases.has(lease)) broken(index, `pays the lease ${lease} again`)
    this.#paidLeases.add(lease as string)
  }
}

function broken(index: number, what: string): never {
  throw new Fault("ledger-mismatch", `Entry ${index} of the ledger ${what}.`, {
    hint: "Whoever keeps this ledger has written what its own rules forbid: keep a copy as evidence.",
    facts: { index },
  })
}

function notSigned(size: number): Fault {
  return new Fault("ledger-mismatch", `The ${size} entries do not hash to the root that was signed.`, {
    hint: "An entry was changed after it was signed, or the copy is damaged: fetch it again and compare.",
    facts: { size },
  })
}
